"""Events of data sources come in: the operation, for whoever pushes with a push key as well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from analysis.detections.events import Event
from handlers.detections.detecting import take
from handlers.detections.shapes import MOST_EVENTS, DataSourceId, EventsTaken, PushedEvent, event_of
from handlers.parts import Parts
from handlers.registry import Context, Forbidden, Operation, Permission
from handlers.source_access import require_source
from storage import detections
from storage.data_sources import DataSource
from storage.tables import to_microseconds

PATH = "/security/events/{data_source_id}"
# As for samples. Streams go by the time of events: one of next year would make all that come before then too late.
MOST_AHEAD = timedelta(minutes=10)


class PushEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Over HTTP the body may also be lines of a database's log, and a push key of the source will do.

    `application/x-ndjson` takes events, PostgreSQL's jsonlog or MySQL's audit log in JSON, one a line; `text/csv` takes
    PostgreSQL's csvlog; `text/plain` takes MariaDB's server_audit log. Records that tell nothing about security are
    counted in `ignored`, and those of a log that are torn in `unreadable`.
    """

    data_source_id: DataSourceId
    events: Annotated[list[PushedEvent], Meta(max_length=MOST_EVENTS)]


class Unreadable(NamedTuple):
    """How many records of a log cannot be read; which is the first, and why."""

    number: int
    first: int
    reason: str


async def push_events(context: Context, request: PushEvents) -> EventsTaken:
    source = await require_source(context, request.data_source_id, Permission.WRITE)
    return await store_events(context.parts, source, [event_of(each) for each in request.events], context.now())


async def store_events(
    parts: Parts,
    source: DataSource,
    events: Sequence[Event],
    at: datetime,
    *,
    ignored: int = 0,
    unreadable: Unreadable | None = None,
) -> EventsTaken:
    """Whoever calls this has asked whether the caller may."""
    latest = to_microseconds(at + MOST_AHEAD)
    in_time = [event for event in events if event.at <= latest]
    ahead = len(events) - len(in_time)
    late = 0
    if in_time:
        # Before anything is locked: parsing what people entered takes longer than all else.
        await asyncio.to_thread(_look_at_inputs, in_time)
        async with parts.feeds.writing() as (connection, outbox):
            scope = detections.scope_of(source.id)
            stream = await detections.ensure(
                connection, scope, workspace_id=source.workspace_id, source_id=source.id, at=at
            )
            late = await take(connection, outbox, stream, in_time, at=at)
    return EventsTaken(
        taken=len(in_time) - late,
        late=late,
        ahead=ahead,
        ignored=ignored,
        unreadable=unreadable.number if unreadable else 0,
        message=_message(late, ahead, unreadable),
    )


def _look_at_inputs(events: Sequence[Event]) -> None:
    from analysis.detections.injection import look_at_inputs  # noqa: PLC0415 - the parser is loaded when events come

    look_at_inputs(events)


def _message(late: int, ahead: int, unreadable: Unreadable | None) -> str | None:
    """What was left out, and why; None where nothing was."""
    messages = []
    if late:
        messages.append(f"{late} events came again, or more than two minutes after later ones, and were left out.")
    if ahead:
        text = f"{ahead} events are more than ten minutes ahead of the server's clock and were left out"
        messages.append(f"{text}: times without an offset have to be in UTC.")
    if unreadable:
        text = f"{unreadable.number} records cannot be read and were left out; the first is record {unreadable.first}: "
        messages.append(f"{text}{unreadable.reason}.")
    return " ".join(messages) or None


OPERATIONS = (
    Operation(
        "detections.push_events",
        PushEvents,
        EventsTaken,
        push_events,
        f"POST {PATH}",
        Permission.SIGNED_IN,
        "Push security events of a data source.",
        # Each of many a minute would leave a row, and what is pushed is of another trail.
        audited=False,
        errors=(Forbidden,),
    ),
)
