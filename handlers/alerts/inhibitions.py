"""Inhibitions: while an alert fires, those that follow from it notify nobody."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from analysis.alerting.specs import LabelName, Matcher
from handlers.alerts.labels import check, read_matchers, written
from handlers.alerts.silences import RequiredMatchers
from handlers.alerts.suppressing import MAX_INHIBITIONS
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    NotFound,
    Operation,
    Page,
    Permission,
    Watched,
)
from storage import alert_silences
from storage.alert_silences import Inhibition

PATH = "/performance/alert-inhibitions"

LabelNames = Annotated[list[LabelName], Meta(max_length=20)]


class InhibitionShown(msgspec.Struct, frozen=True, kw_only=True):
    """While an alert that matches `source` fires, those that match `target` and agree in `equal` notify nobody.

    A label that neither has is equal. Of alerts that match both, none inhibits another.
    """

    id: RowId
    workspace_id: WorkspaceId
    source: list[Matcher]
    target: list[Matcher]
    equal: list[str]
    updated_by: str
    updated_at: Instant


class ListInhibitions(msgspec.Struct, frozen=True, kw_only=True):
    """By id."""

    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateInhibition(msgspec.Struct, frozen=True, kw_only=True):
    """`equal` are labels: `source`, say, for alerts of the same data source."""

    workspace_id: WorkspaceId = "default"
    source: RequiredMatchers
    target: RequiredMatchers
    equal: LabelNames | None = None


class DeleteInhibition(msgspec.Struct, frozen=True, kw_only=True):
    inhibition_id: RowId


async def list_inhibitions(context: Context, request: ListInhibitions) -> Page[InhibitionShown]:
    after = decode_cursor("alerts.inhibitions", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await alert_silences.inhibitions_of(
            connection, request.workspace_id, after=after, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "alerts.inhibitions", key=lambda row: row.id, item=_shown)


async def create_inhibition(context: Context, request: CreateInhibition) -> InhibitionShown:
    check("source", request.source)
    check("target", request.target)
    now = context.now()
    async with context.parts.database.write() as connection:
        if await alert_silences.count_inhibitions(connection, request.workspace_id) >= MAX_INHIBITIONS:
            raise Conflict(
                f"The workspace has {MAX_INHIBITIONS} inhibitions, which is the limit; delete one.",
                code="too_many_inhibitions",
                details={"limit": MAX_INHIBITIONS},
            )
        made = await alert_silences.create_inhibition(
            connection,
            request.workspace_id,
            written(request.source),
            written(request.target),
            written(request.equal or []),
            by=context.user.user_id,
            at=now,
        )
        details = {"workspace_id": made.workspace_id}
        await record(connection, context, "alerts.inhibitions.create", str(made.id), details)
    return _shown(made)


async def delete_inhibition(context: Context, request: DeleteInhibition) -> None:
    async with context.parts.database.read() as connection:
        found = await alert_silences.get_inhibition(connection, request.inhibition_id)
    if found is None:
        raise _gone(request.inhibition_id)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, found.workspace_id)
    except NotFound:
        raise _gone(request.inhibition_id) from None
    async with context.parts.database.write() as connection:
        if not await alert_silences.remove_inhibition(connection, found.id):
            raise _gone(found.id)
        details = {"workspace_id": found.workspace_id}
        await record(connection, context, "alerts.inhibitions.delete", str(found.id), details)


def _shown(row: Inhibition) -> InhibitionShown:
    return InhibitionShown(
        id=row.id,
        workspace_id=row.workspace_id,
        source=list(read_matchers(row.source)),
        target=list(read_matchers(row.target)),
        equal=msgspec.json.decode(row.equal, type=list[str]),
        updated_by=row.updated_by,
        updated_at=row.updated_at,
    )


def _gone(inhibition_id: int) -> NotFound:
    return NotFound(f"There is no inhibition {inhibition_id}, or you are not a member of its workspace.")


OPERATIONS = (
    Operation(
        "alerts.inhibitions.list",
        ListInhibitions,
        Page[InhibitionShown],
        list_inhibitions,
        f"GET {PATH}",
        Permission.READ,
        "List which alerts keep others of a workspace silent.",
        watched=Watched(frozenset({"alerts"})),
    ),
    Operation(
        "alerts.inhibitions.create",
        CreateInhibition,
        InhibitionShown,
        create_inhibition,
        f"POST {PATH}",
        Permission.MANAGE,
        "Let alerts keep others silent while they fire.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "alerts.inhibitions.delete",
        DeleteInhibition,
        None,
        delete_inhibition,
        f"DELETE {PATH}/{{inhibition_id}}",
        Permission.SIGNED_IN,
        "Delete an inhibition.",
        status=204,
        errors=(Forbidden,),
    ),
)
