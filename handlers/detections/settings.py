"""Which detections are at work for which source, and what operators set."""

from __future__ import annotations

import msgspec

from analysis.detections.settings import Settings, bad_network
from handlers.audit_trail import record
from handlers.detections.detecting import settings_of, state_of
from handlers.detections.live import stream_shown
from handlers.detections.shapes import DataSourceId, StreamShown
from handlers.names import RowId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, InvalidRequest, Operation, Page, Permission
from handlers.source_access import require_source
from storage import data_sources, detections

PATH = "/security/detections"
ONE = PATH + "/{data_source_id}/settings"


class ListDetections(msgspec.Struct, frozen=True, kw_only=True):
    """For each data source of a workspace."""

    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = 20


class GetDetectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: DataSourceId


class PutDetectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """They are for the events that come from now on, and replace those before; what is left out is as at first."""

    data_source_id: DataSourceId
    settings: Settings


async def list_detections(context: Context, request: ListDetections) -> Page[StreamShown]:
    after = decode_cursor("detections", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await data_sources.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
        streams = await detections.get_many(connection, [detections.scope_of(row.id) for row in rows])

    def shown(row: data_sources.DataSource) -> StreamShown:
        stream = streams.get(detections.scope_of(row.id))
        return stream_shown(row.id, row.name, state_of(stream), settings_of(stream))

    return page_of(rows, request.limit, "detections", key=lambda row: row.id, item=shown)


async def get_settings(context: Context, request: GetDetectionSettings) -> Settings:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    scope = detections.scope_of(source.id)
    async with context.parts.database.read() as connection:
        return settings_of((await detections.get_many(connection, [scope])).get(scope))


async def put_settings(context: Context, request: PutDetectionSettings) -> Settings:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    check_settings(request.settings)
    scope = detections.scope_of(source.id)
    async with context.parts.database.write() as connection:
        before = await detections.ensure(
            connection, scope, workspace_id=source.workspace_id, source_id=source.id, at=context.now()
        )
        disabled = sorted(set(request.settings.disabled) - set(settings_of(before).disabled))
        await detections.change(connection, scope, {"settings": msgspec.json.encode(request.settings).decode()})
        details = {"workspace_id": source.workspace_id, "disabled": disabled}
        await record(connection, context, "detections.put_settings", str(source.id), details)
    return request.settings


def check_settings(settings: Settings) -> None:
    """Raises InvalidRequest."""
    if (network := bad_network(settings)) is not None:
        raise InvalidRequest(
            f"settings.egress_networks: {network[:80]!r} is no network; write it as 192.0.2.0/24 or 2001:db8::/32.",
            details={"parameter": "settings.egress_networks"},
        )
    if settings.change_hours is not None and settings.change_hours[0] >= settings.change_hours[1]:
        raise InvalidRequest(
            "settings.change_hours: the first hour has to be before the second, as in [8, 18].",
            details={"parameter": "settings.change_hours"},
        )


OPERATIONS = (
    Operation(
        "detections.list",
        ListDetections,
        Page[StreamShown],
        list_detections,
        f"GET {PATH}",
        Permission.READ,
        "List which threat detections are at work for which data source, and why others are not.",
    ),
    Operation(
        "detections.get_settings",
        GetDetectionSettings,
        Settings,
        get_settings,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get the settings of a data source's threat detections.",
        errors=(Forbidden,),
    ),
    Operation(
        "detections.put_settings",
        PutDetectionSettings,
        Settings,
        put_settings,
        f"PUT {ONE}",
        Permission.SIGNED_IN,
        "Set thresholds, networks and objects of a data source's threat detections.",
        errors=(Forbidden,),
    ),
)
