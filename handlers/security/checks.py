"""What can be checked, and the script that lets a login see what checks need."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from connectors.datasets import Kind
from connectors.security.catalogue import grant_script, kinds
from connectors.security.check import Category, References, Severity
from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Binary, Conflict, Context, Forbidden, Operation, Page, Permission
from handlers.security.sources import check_kind, checks_for
from handlers.source_access import require_source


class ListChecks(msgspec.Struct, frozen=True, kw_only=True):
    """Of one kind of source, or of all."""

    kind: Kind | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CheckShown(msgspec.Struct, frozen=True, kw_only=True):
    """A check: `statement` is the SQL that it asks, which only reads."""

    kind: Kind
    id: str
    title: str
    severity: Severity
    category: Category
    rationale: str
    statement: str
    references: References


class GetGrantScript(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: RowId


Place = Annotated[int, Meta(ge=0, le=2**31 - 1)]


async def list_checks(context: Context, request: ListChecks) -> Page[CheckShown]:  # noqa: ARG001 - as all handlers
    after = decode_cursor("security.checks", request.cursor, Place)
    chosen = [kind for kind in kinds() if request.kind in (None, kind)]
    every = [(kind, check) for kind in chosen for check in checks_for(kind)]
    first = 0 if after is None else after + 1
    rows = list(enumerate(every))[first : first + request.limit + 1]
    return page_of(
        rows,
        request.limit,
        "security.checks",
        key=lambda row: row[0],
        item=lambda row: CheckShown(
            kind=row[1][0],
            id=row[1][1].id,
            title=row[1][1].title,
            severity=row[1][1].severity,
            category=row[1][1].category,
            rationale=row[1][1].rationale,
            statement=row[1][1].statement.strip(),
            references=row[1][1].references,
        ),
    )


async def get_grant_script(context: Context, request: GetGrantScript) -> Binary:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    check_kind(source)
    login = source.settings.get("user")
    if not login:
        raise Conflict("A source without a login needs no grants.", code="no_login")
    script = grant_script(source.kind, login, source.settings.get("database"))
    return Binary(media_type="application/sql", data=script.encode())


OPERATIONS = (
    Operation(
        "security.checks.list",
        ListChecks,
        Page[CheckShown],
        list_checks,
        "GET /security/checks",
        Permission.SIGNED_IN,
        "List the checks that audits make.",
    ),
    Operation(
        "security.audit.grant_script",
        GetGrantScript,
        Binary,
        get_grant_script,
        "GET /security/audit/{data_source_id}/grant-script",
        Permission.SIGNED_IN,
        "Get the SQL that lets an audit's login see what checks need.",
        errors=(Conflict, Forbidden),
        media_types=("application/sql",),
    ),
)
