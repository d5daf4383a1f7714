"""Silences and maintenance windows: alerts that match notify nobody meanwhile; they are evaluated all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from analysis.alerting.specs import Matcher
from handlers.alerts.labels import check, read_matchers, written
from handlers.alerts.standing import Text
from handlers.alerts.windows import in_force_until
from handlers.audit_trail import record
from handlers.cron_requests import CronText, ZoneName, check_cron, parse, zone_of
from handlers.names import RowId, WorkspaceId
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
    Watched,
)
from storage import alert_silences
from storage.alert_silences import NewSilence, Silence

PATH = "/performance/alert-silences"
MAX_ALIVE = 500
MAX_WINDOW = timedelta(days=7)
# So many windows of a maintenance are looked at for whether the next begins before one has ended.
_WINDOWS_LOOKED_AT = 20

RequiredMatchers = Annotated[
    tuple[Matcher, ...],
    Meta(
        min_length=1,
        max_length=20,
        description="All have to hold, of the alert's labels or of alertname, severity, source and domain.",
    ),
]


class SilenceShown(msgspec.Struct, frozen=True, kw_only=True):
    """A silence, or a maintenance window where there is a `cron`. `in_force_until` is null while it is not in force."""

    id: RowId
    workspace_id: WorkspaceId
    matchers: list[Matcher]
    starts_at: Instant
    ends_at: Instant | None
    cron: str | None
    time_zone: str | None
    seconds: int | None
    comment: str
    created_by: str
    created_at: Instant
    ended_at: Instant | None
    ended_by: str | None
    in_force_until: Instant | None


class ListSilences(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first; those that are over only if asked for."""

    workspace_id: WorkspaceId = "default"
    include_ended: bool = False
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateSilence(msgspec.Struct, frozen=True, kw_only=True):
    """Once: until `ends_at`, from now on or from `starts_at`. Again and again: `seconds` from each time of `cron`."""

    workspace_id: WorkspaceId = "default"
    matchers: RequiredMatchers
    comment: Text
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    cron: CronText | None = None
    time_zone: ZoneName | None = None
    seconds: Annotated[int, Meta(ge=60, le=int(MAX_WINDOW.total_seconds()))] | None = None


class EndSilence(msgspec.Struct, frozen=True, kw_only=True):
    """At once, and for good."""

    silence_id: RowId


async def list_silences(context: Context, request: ListSilences) -> Page[SilenceShown]:
    before = decode_cursor("alerts.silences", request.cursor, RowId)
    now = context.now()
    async with context.parts.database.read() as connection:
        rows = await alert_silences.list_of(
            connection,
            request.workspace_id,
            alive_at=None if request.include_ended else now,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "alerts.silences", key=lambda row: row.id, item=lambda row: _shown(row, now))


async def create_silence(context: Context, request: CreateSilence) -> SilenceShown:
    now = context.now()
    new = _new(request, now)
    async with context.parts.database.write() as connection:
        if await alert_silences.count_alive(connection, request.workspace_id, at=now) >= MAX_ALIVE:
            raise Conflict(
                f"The workspace has {MAX_ALIVE} silences, which is the limit; end one.",
                code="too_many_silences",
                details={"limit": MAX_ALIVE},
            )
        made = await alert_silences.create(connection, new, by=context.user.user_id, at=now)
        details = {"workspace_id": made.workspace_id, "comment": made.comment}
        await record(connection, context, "alerts.silences.create", str(made.id), details)
    return _shown(made, now)


def _new(request: CreateSilence, now: datetime) -> NewSilence:
    """Raises InvalidRequest."""
    check("matchers", request.matchers)
    starts_at = request.starts_at or now
    if request.cron is None:
        if request.ends_at is None:
            raise _bad("ends_at", "say when it ends, or give `cron` and `seconds` for one that comes again")
        if request.seconds is not None or request.time_zone is not None:
            raise _bad("cron", "`seconds` and `time_zone` belong to it")
    else:
        _check_maintenance(request, starts_at)
    if request.ends_at is not None and request.ends_at <= max(starts_at, now):
        raise _bad("ends_at", "it has to be later than now, and than `starts_at`")
    return NewSilence(
        workspace_id=request.workspace_id,
        matchers=written(request.matchers),
        starts_at=starts_at,
        ends_at=request.ends_at,
        cron=request.cron,
        time_zone=request.time_zone,
        seconds=request.seconds,
        comment=request.comment,
    )


def _check_maintenance(request: CreateSilence, starts_at: datetime) -> None:
    assert request.cron is not None
    check_cron(request.cron)
    zone = zone_of(request.time_zone or "UTC")
    if request.seconds is None:
        raise _bad("seconds", "say how long it is each time that `cron` tells")
    begins = parse(request.cron).next_after(starts_at, zone)
    for _ in range(_WINDOWS_LOOKED_AT):
        following = None if begins is None else parse(request.cron).next_after(begins, zone)
        if begins is None or following is None:
            return
        if following - begins < timedelta(seconds=request.seconds):
            raise _bad(
                "seconds", f"the window of {begins:%Y-%m-%d %H:%M} UTC would not have ended when the next begins"
            )
        begins = following


async def end_silence(context: Context, request: EndSilence) -> SilenceShown:
    now = context.now()
    async with context.parts.database.read() as connection:
        found = await alert_silences.get(connection, request.silence_id)
    if found is None:
        raise _gone(request.silence_id)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, found.workspace_id)
    except NotFound:
        raise _gone(request.silence_id) from None
    async with context.parts.database.write() as connection:
        ended = await alert_silences.end(connection, found.id, by=context.user.user_id, at=now)
        if ended is not None:
            await record(connection, context, "alerts.silences.end", str(found.id))
        else:
            # It was over already: that is what is wanted.
            ended = await alert_silences.get(connection, found.id) or found
    return _shown(ended, now)


def _shown(row: Silence, now: datetime) -> SilenceShown:
    same = {name: getattr(row, name) for name in SilenceShown.__struct_fields__ if hasattr(row, name)}
    return SilenceShown(
        **same | {"matchers": list(read_matchers(row.matchers))}, in_force_until=in_force_until(row, now)
    )


def _bad(parameter: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{parameter}: {why}.", details={"parameter": parameter})


def _gone(silence_id: int) -> NotFound:
    return NotFound(f"There is no silence {silence_id}, or you are not a member of its workspace.")


OPERATIONS = (
    Operation(
        "alerts.silences.list",
        ListSilences,
        Page[SilenceShown],
        list_silences,
        f"GET {PATH}",
        Permission.READ,
        "List a workspace's silences and maintenance windows.",
        watched=Watched(frozenset({"alerts"})),
    ),
    Operation(
        "alerts.silences.create",
        CreateSilence,
        SilenceShown,
        create_silence,
        f"POST {PATH}",
        Permission.MANAGE,
        "Let alerts that match notify nobody for some time.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "alerts.silences.end",
        EndSilence,
        SilenceShown,
        end_silence,
        f"POST {PATH}/{{silence_id}}/end",
        Permission.SIGNED_IN,
        "End a silence before its time.",
        errors=(Forbidden,),
    ),
)
