"""Exceptions as clients see them: findings accepted by the names of checks and objects, with an owner and an end."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.names import RowId, UserId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    InvalidRequest,
    NotFound,
    Operation,
    Page,
    Permission,
)
from handlers.security.alerting import end_alerts, raise_alerts
from handlers.security.excepting import accept_by, covers, open_again
from handlers.security.findings import MOST_SECONDS, Text
from handlers.source_access import require_source
from storage import members, security_exceptions, security_findings
from storage.security_exceptions import AuditException, NewException

# Each audit holds what it finds against all of them.
MOST_IN_FORCE = 200
Pattern = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="A name, in which `*` stands for anything, `?` for a character and `[...]` for one of those.",
        examples=["PG-PRIV-*", "table *.staging.*"],
    ),
]


class ListExceptions(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. Without `include_ended` only those in force."""

    workspace_id: WorkspaceId = "default"
    include_ended: bool = False
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateException(msgspec.Struct, frozen=True, kw_only=True):
    """Accepts what is found, now and later, where the id of the check and the name of the object match.

    `objects` is held against the object as findings tell it, as in `table shop.public.orders`. Without `source_id` it
    is for all sources of the workspace. `owner` answers for it, and is whoever makes it unless another member is named.
    """

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    checks: Pattern
    objects: Pattern
    why: Text
    owner: UserId | None = None
    seconds: Annotated[int, Meta(ge=1, le=MOST_SECONDS)]


class GetException(msgspec.Struct, frozen=True, kw_only=True):
    exception_id: RowId


class EndException(msgspec.Struct, frozen=True, kw_only=True):
    """At once, and for good: what it accepted is open again, unless another one accepts that too."""

    exception_id: RowId


class ExceptionShown(msgspec.Struct, frozen=True, kw_only=True):
    """`ended_at` and `ended_by` say that somebody ended it before `ends_at`."""

    id: RowId
    workspace_id: str
    source_id: RowId | None
    checks: str
    objects: str
    why: str
    owner: str
    ends_at: Instant
    created_by: str
    created_at: Instant
    ended_at: Instant | None
    ended_by: str | None


async def list_exceptions(context: Context, request: ListExceptions) -> Page[ExceptionShown]:
    before = decode_cursor("security.exceptions", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await security_exceptions.list_of(
            connection,
            request.workspace_id,
            in_force_at=None if request.include_ended else context.now(),
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "security.exceptions", key=lambda row: row.id, item=_shown)


async def create_exception(context: Context, request: CreateException) -> ExceptionShown:
    now, owner = context.now(), request.owner or context.user.user_id
    await _check_source(context, request)
    new = NewException(
        workspace_id=request.workspace_id,
        source_id=request.source_id,
        checks=request.checks,
        objects=request.objects,
        why=request.why,
        owner=owner,
        ends_at=now + timedelta(seconds=request.seconds),
    )
    async with context.parts.feeds.writing() as (connection, outbox):
        if request.owner is not None and await members.role_of(connection, request.workspace_id, owner) is None:
            raise InvalidRequest(
                f"owner: {owner!r} is not a member of the workspace; name somebody who is.",
                details={"parameter": "owner"},
            )
        if await security_exceptions.count_in_force(connection, request.workspace_id, at=now) >= MOST_IN_FORCE:
            raise Conflict(
                f"The workspace has {MOST_IN_FORCE} exceptions in force, which is the limit; end one.",
                code="too_many_exceptions",
                details={"limit": MOST_IN_FORCE},
            )
        made = await security_exceptions.create(connection, new, by=context.user.user_id, at=now)
        standing = await security_findings.to_decide(connection, made.workspace_id, source_id=made.source_id)
        covered = [one for one in standing if covers(made, one)]
        accepted = await accept_by(connection, outbox, made, covered, at=now)
        await end_alerts(connection, outbox, accepted, f"The exception {made.id} accepts it.", at=now)
        details = {"checks": made.checks, "objects": made.objects, "owner": owner, "findings": len(accepted)}
        await record(connection, context, "security.exceptions.create", str(made.id), details)
    return _shown(made)


async def _check_source(context: Context, request: CreateException) -> None:
    if request.source_id is not None:
        source = await require_source(context, request.source_id, Permission.MANAGE)
        if source.workspace_id != request.workspace_id:
            raise NotFound(f"The workspace has no data source {request.source_id}.", code="no_such_source")


async def get_exception(context: Context, request: GetException) -> ExceptionShown:
    return _shown(await _require(context, request.exception_id))


async def end_exception(context: Context, request: EndException) -> ExceptionShown:
    found, now = await _require(context, request.exception_id), context.now()
    async with context.parts.feeds.writing() as (connection, outbox):
        ended = await security_exceptions.end(connection, found.id, by=context.user.user_id, at=now)
        if ended is None:
            # It was over already: that is what is wanted.
            return _shown(await security_exceptions.get(connection, found.id) or found)
        accepted = await security_findings.excepted(connection, found.id)
        opened = await open_again(connection, outbox, accepted, "exception_ended", at=now, actor=context.user.user_id)
        await raise_alerts(connection, outbox, opened, at=now)
        await record(connection, context, "security.exceptions.end", str(found.id), {"findings": len(opened)})
    return _shown(ended)


async def _require(context: Context, exception_id: int) -> AuditException:
    """The exception, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        found = await security_exceptions.get(connection, exception_id)
    if found is None:
        raise _gone(exception_id)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, found.workspace_id)
    except NotFound:
        raise _gone(exception_id) from None
    return found


def _gone(exception_id: int) -> NotFound:
    return NotFound(f"There is no exception {exception_id}, or you are not a member of its workspace.")


def _shown(row: AuditException) -> ExceptionShown:
    return ExceptionShown(**{name: getattr(row, name) for name in ExceptionShown.__struct_fields__})


OPERATIONS = (
    Operation(
        "security.exceptions.list",
        ListExceptions,
        Page[ExceptionShown],
        list_exceptions,
        "GET /security/exceptions",
        Permission.MANAGE,
        "List what is accepted of audits by pattern.",
    ),
    Operation(
        "security.exceptions.create",
        CreateException,
        ExceptionShown,
        create_exception,
        "POST /security/exceptions",
        Permission.MANAGE,
        "Accept findings of audits by the names of checks and objects.",
        status=201,
        errors=(Conflict, NotFound),
    ),
    Operation(
        "security.exceptions.get",
        GetException,
        ExceptionShown,
        get_exception,
        "GET /security/exceptions/{exception_id}",
        Permission.SIGNED_IN,
        "Get an exception.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.exceptions.end",
        EndException,
        ExceptionShown,
        end_exception,
        "DELETE /security/exceptions/{exception_id}",
        Permission.SIGNED_IN,
        "End an exception.",
        errors=(Forbidden,),
    ),
)
