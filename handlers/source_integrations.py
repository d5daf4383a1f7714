"""Who outside is told of a data source's events: the workspace's integrations that are for them."""

from __future__ import annotations

import msgspec

from handlers.event_patterns import matches
from handlers.feed_names import ACTIVITY
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Instant, Operation, Permission
from handlers.source_access import require_source
from storage import integrations
from storage.integrations import Integration

_AT_ONCE = 200
# The types of events of each feed that are about a source. Each scan has a feed of its own.
_EVENTS = {
    ACTIVITY: ("backup.succeeded", "backup.failed", "backup.verified", "backup.damaged"),
    "scans.*": ("scan.started", "scan.dataset", "scan.progress", "scan.finished", "scan.failed", "scan.cancelled"),
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A feed, and the types of its events that the integration sends."""

    feed: str
    events: list[str]


class SourceIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """An integration, and what of the source it would send. `delivers`: it is enabled."""

    integration_id: RowId
    name: str
    kind: str
    delivers: bool
    disabled_reason: str | None
    failing_since: Instant | None
    told: list[Told]


class SourceIntegrations(msgspec.Struct, frozen=True, kw_only=True):
    items: list[SourceIntegration]


class GetSourceIntegrations(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId


async def get_source_integrations(context: Context, request: GetSourceIntegrations) -> SourceIntegrations:
    source = await require_source(context, request.source_id, Permission.MANAGE)
    found: list[SourceIntegration] = []
    after = None
    async with context.parts.database.read() as connection:
        while rows := await integrations.list_of(connection, source.workspace_id, after=after, limit=_AT_ONCE):
            found += [shown for row in rows if (shown := _shown(row)).told]
            after = rows[-1].id
    return SourceIntegrations(items=found)


def _shown(row: Integration) -> SourceIntegration:
    told = []
    for feed, types in _EVENTS.items():
        # Of a feed for each scan, some scan's stands for all.
        if matches(feed.replace("*", "1"), row.feeds) and (
            sent := [each for each in types if matches(each, row.events)]
        ):
            told.append(Told(feed=feed, events=sent))
    return SourceIntegration(
        integration_id=row.id,
        name=row.name,
        kind=row.kind,
        delivers=row.enabled,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        told=told,
    )


OPERATIONS = (
    Operation(
        "data_sources.integrations",
        GetSourceIntegrations,
        SourceIntegrations,
        get_source_integrations,
        "GET /data-sources/{source_id}/integrations",
        Permission.SIGNED_IN,
        "List the integrations that are told of a data source's events.",
        errors=(Forbidden,),
    ),
)
