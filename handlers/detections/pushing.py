"""Events of data sources come in: the operation, for whoever pushes with a push key as well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

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

PATH = "/security/events/{data_source_id}"


class PushEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Over HTTP the body may also be lines of a database's log, and a push key of the source will do.

    `application/x-ndjson` takes events or PostgreSQL's jsonlog, one a line; `text/csv` takes PostgreSQL's csvlog;
    `text/plain` takes MariaDB's server_audit log. Lines that tell nothing about security are counted in `ignored`.
    """

    data_source_id: DataSourceId
    events: Annotated[list[PushedEvent], Meta(max_length=MOST_EVENTS)]


async def push_events(context: Context, request: PushEvents) -> EventsTaken:
    source = await require_source(context, request.data_source_id, Permission.WRITE)
    return await store_events(context.parts, source, [event_of(each) for each in request.events], context.now())


async def store_events(
    parts: Parts, source: DataSource, events: Sequence[Event], at: datetime, *, ignored: int = 0
) -> EventsTaken:
    """Whoever calls this has asked whether the caller may."""
    late = 0
    if events:
        async with parts.feeds.writing() as (connection, outbox):
            scope = detections.scope_of(source.id)
            stream = await detections.ensure(
                connection, scope, workspace_id=source.workspace_id, source_id=source.id, at=at
            )
            late = await take(connection, outbox, stream, events, at=at)
    message = None
    if late:
        message = f"{late} events came again, or more than two minutes after later ones, and were left out."
    return EventsTaken(taken=len(events) - late, late=late, ignored=ignored, message=message)


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
