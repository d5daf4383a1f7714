"""Exports of the audit trail and of security events to where an organisation watches over its systems."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from handlers.audit_trail import record
from handlers.event_exports import reading
from handlers.event_exports.encryption import BadCertificate, context_for
from handlers.event_exports.exporting import MAX_EXPORTS, lease_name
from handlers.event_exports.sending import columns_of
from handlers.event_exports.shapes import (
    EventExport,
    Start,
    Stream,
    StreamPosition,
    Streams,
    SyslogTarget,
    Target,
)
from handlers.event_exports.standing import Progress, progress_of
from handlers.event_exports.syslog_sending import check_target
from handlers.names import RowId, Title
from handlers.outgoing import NotAllowed
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, InvalidRequest, NotFound, Operation, Page, Permission
from storage import event_exports, leases, users
from storage.event_exports import Export, Position

PATH = "/security/exports"
ONE = PATH + "/{export_id}"
_DEFAULT_STREAMS: tuple[Stream, ...] = ("audit",)


class ListExports(msgspec.Struct, frozen=True, kw_only=True):
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateExport(msgspec.Struct, frozen=True, kw_only=True):
    """Unless given, `streams` is the audit trail alone. Which ones they are does not change later."""

    name: Title
    target: Target
    streams: Streams | None = None
    start: Start = "now"
    enabled: bool = True


class GetExport(msgspec.Struct, frozen=True, kw_only=True):
    export_id: RowId


class UpdateExport(msgspec.Struct, frozen=True, kw_only=True):
    """What is given changes, `target` as a whole. It goes on where it was, and tries again at once."""

    export_id: RowId
    name: Title | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteExport(msgspec.Struct, frozen=True, kw_only=True):
    export_id: RowId


async def list_exports(context: Context, request: ListExports) -> Page[EventExport]:
    after = decode_cursor("event_exports", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await event_exports.list_of(connection, after=after, limit=request.limit + 1)
        progress = await progress_of(connection, rows)
        holders = {row.id: await leases.holder_of(connection, lease_name(row.id), at=context.now()) for row in rows}
    return page_of(
        rows,
        request.limit,
        "event_exports",
        key=lambda row: row.id,
        item=lambda row: _shown(row, progress[row.id], holders[row.id]),
    )


async def create_export(context: Context, request: CreateExport) -> EventExport:
    await _check(context, request.target)
    user_id, now = context.user.user_id, context.now()
    async with context.parts.database.write() as connection:
        await users.ensure(connection, user_id, at=now)
        if await event_exports.count(connection) >= MAX_EXPORTS:
            raise Conflict(
                f"There are {MAX_EXPORTS} exports, which is the limit; delete one.",
                code="too_many_exports",
                details={"limit": MAX_EXPORTS},
            )
        created = await event_exports.create(
            connection,
            name=request.name,
            streams=sorted(set(request.streams or _DEFAULT_STREAMS)),
            target={},
            enabled=request.enabled,
            created_by=user_id,
            at=now,
        )
        sealed = columns_of(context.parts.sources.sealer, created.id, request.target)
        created = await event_exports.change(connection, created.id, **sealed) or created
        if request.start == "now":
            heads = await reading.heads_of(connection, created.streams)
            for stream, position in reading.positions_at(created, heads).items():
                await event_exports.set_position(connection, created.id, stream, position)
        await record(connection, context, "security.exports.create", str(created.id), _told(created))
        return await _read(context, connection, created)


async def get_export(context: Context, request: GetExport) -> EventExport:
    async with context.parts.database.read() as connection:
        found = await event_exports.get(connection, request.export_id)
        if found is None:
            raise _gone(request.export_id)
        return await _read(context, connection, found)


async def update_export(context: Context, request: UpdateExport) -> EventExport:
    values: dict[str, Any] = {}
    for name in ("name", "enabled"):
        if (given := getattr(request, name)) is not UNSET:
            values[name] = given
    if request.target is not UNSET:
        await _check(context, request.target)
        values |= columns_of(context.parts.sources.sealer, request.export_id, request.target)
    again = {"tries": 0, "next_attempt_at": None, "updated_at": context.now()}
    async with context.parts.database.write() as connection:
        changed = await event_exports.change(connection, request.export_id, **values, **again)
        if changed is None:
            raise _gone(request.export_id)
        names = sorted(set(values) - {"credentials", "key_id"})
        await record(
            connection, context, "security.exports.update", str(changed.id), {**_told(changed), "changed": names}
        )
        return await _read(context, connection, changed)


async def delete_export(context: Context, request: DeleteExport) -> None:
    async with context.parts.database.write() as connection:
        found = await event_exports.get(connection, request.export_id)
        if found is None or not await event_exports.remove(connection, found.id):
            raise _gone(request.export_id)
        await record(connection, context, "security.exports.delete", str(found.id), _told(found))


async def _check(context: Context, target: Target) -> None:
    """Raises InvalidRequest."""
    http = context.parts.outgoing.http
    if not isinstance(target, SyslogTarget):
        try:
            http.policy.check_url(target.url)
        except NotAllowed as error:
            raise _bad("target.url", str(error), "address_not_allowed") from None
        return
    try:
        check_target(http, target)
        if target.transport == "tls":
            await asyncio.to_thread(context_for, target)
    except NotAllowed as error:
        raise _bad("target.host", str(error), "address_not_allowed") from None
    except BadCertificate as error:
        raise InvalidRequest(f"{error}.", details={"parameter": "target"}) from None


async def _read(context: Context, connection: Any, row: Export) -> EventExport:
    progress = (await progress_of(connection, [row]))[row.id]
    holder = await leases.holder_of(connection, lease_name(row.id), at=context.now())
    return _shown(row, progress, holder)


def _shown(row: Export, progress: Progress, holder: str | None) -> EventExport:
    streams = sorted({*progress.behind, *progress.reached})
    nothing = Position(0, "")
    return EventExport(
        id=row.id,
        name=row.name,
        streams=row.streams,
        **row.target,
        enabled=row.enabled,
        positions=[
            StreamPosition(
                stream=each,
                number=progress.reached.get(each, nothing).number,
                behind=progress.behind.get(each, 0),
            )
            for each in streams
        ],
        behind=sum(progress.behind.values()),
        behind_since=progress.oldest,
        sent=row.sent,
        missed=row.missed,
        last_sent_at=row.last_sent_at,
        failing_since=row.failing_since,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        broken_at=row.broken_at,
        node=holder,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _told(row: Export) -> dict[str, Any]:
    """What the audit trail says of it."""
    return {"name": row.name, "streams": row.streams, "address": row.target["address"], "enabled": row.enabled}


def _bad(parameter: str, why: str, code: str) -> InvalidRequest:
    return InvalidRequest(f"{parameter}: {why}", code=code, details={"parameter": parameter})


def _gone(export_id: int) -> NotFound:
    return NotFound(f"There is no export {export_id}.")


OPERATIONS = (
    Operation(
        "security.exports.list",
        ListExports,
        Page[EventExport],
        list_exports,
        f"GET {PATH}",
        Permission.SERVER_ADMIN,
        "List where the audit trail and security events are sent, and how that fares.",
    ),
    Operation(
        "security.exports.create",
        CreateExport,
        EventExport,
        create_export,
        f"POST {PATH}",
        Permission.SERVER_ADMIN,
        "Send the audit trail and security events to a SIEM.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "security.exports.get",
        GetExport,
        EventExport,
        get_export,
        f"GET {ONE}",
        Permission.SERVER_ADMIN,
        "Get where an export is, what waits, and what went wrong last.",
    ),
    Operation(
        "security.exports.update",
        UpdateExport,
        EventExport,
        update_export,
        f"PATCH {ONE}",
        Permission.SERVER_ADMIN,
        "Change an export, stop it or let it go on.",
    ),
    Operation(
        "security.exports.delete",
        DeleteExport,
        None,
        delete_export,
        f"DELETE {ONE}",
        Permission.SERVER_ADMIN,
        "Delete an export; nothing more is sent.",
        status=204,
    ),
)
