"""Which detections are at work over the server's own audit trail, and what those who manage the place set."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.detections.settings import Settings
from handlers.audit_trail import record
from handlers.detections.detecting import settings_of, state_of
from handlers.detections.live import Teller, stream_shown
from handlers.detections.own_place import FIRST_SETTINGS, ensure_workspace
from handlers.detections.settings import PATH, check_settings
from handlers.detections.shapes import StreamShown
from handlers.detections.trail_events import KINDS_OF_A_WORKSPACE, KINDS_OF_THE_SERVER
from handlers.names import WorkspaceId
from handlers.registry import Context, InvalidRequest, Operation, Permission
from storage import detections
from storage.detections import SERVER, Stream, workspace_scope

TRAIL = PATH + "/trail"
NAME = "The audit trail"
WATCHMAN = "TD-18"
_ADMINISTRATORS = " in one workspace alone; those who administer the server are told"
_LACKS = {
    "TD-06": "has addresses, and does not say where on earth they are",
    "TD-14": "does not say by which of an account's credentials something was done",
    "TD-16": "holds nothing that people enter",
    "TD-17": "holds no statements",
}
_OF_A_WORKSPACE = Teller(NAME, frozenset(KINDS_OF_A_WORKSPACE), _ADMINISTRATORS, _LACKS)
_OF_THE_SERVER = Teller(NAME, frozenset(KINDS_OF_THE_SERVER), "", _LACKS)


class GetTrailDetections(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit trail tells of a workspace; in the workspace of administrators, of the whole server."""

    workspace_id: WorkspaceId = "default"


class PutTrailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """They are for what is told from now on, and replace those before; what is left out is as at first."""

    workspace_id: WorkspaceId = "default"
    settings: Settings


async def get_detections(context: Context, request: GetTrailDetections) -> StreamShown:
    async with context.parts.database.read() as connection:
        stream = await _stream_of(connection, request.workspace_id)
    is_server = stream is not None and stream.scope == SERVER
    teller = _OF_THE_SERVER if is_server else _OF_A_WORKSPACE
    return stream_shown(None, NAME, state_of(stream), _settings_of(stream), teller)


async def get_settings(context: Context, request: GetTrailDetections) -> Settings:
    async with context.parts.database.read() as connection:
        return _settings_of(await _stream_of(connection, request.workspace_id))


async def put_settings(context: Context, request: PutTrailSettings) -> Settings:
    check_settings(request.settings)
    if WATCHMAN in request.settings.disabled:
        raise InvalidRequest(
            f"settings.disabled: {WATCHMAN} tells that others are turned off, and is always at work over the trail.",
            details={"parameter": "settings.disabled"},
        )
    workspace_id = request.workspace_id
    async with context.parts.database.write() as connection:
        before = await _stream_of(connection, workspace_id)
        before = before or await ensure_workspace(connection, workspace_id, context.now())
        disabled = sorted(set(request.settings.disabled) - set(settings_of(before).disabled))
        await detections.change(connection, before.scope, {"settings": msgspec.json.encode(request.settings).decode()})
        details = {"workspace_id": workspace_id, "disabled": disabled}
        await record(connection, context, "detections.put_trail_settings", workspace_id, details)
    return request.settings


async def _stream_of(connection: AsyncConnection, workspace_id: str) -> Stream | None:
    own = workspace_scope(workspace_id)
    found = await detections.get_many(connection, [SERVER, own])
    server = found.get(SERVER)
    return server if server is not None and server.workspace_id == workspace_id else found.get(own)


def _settings_of(stream: Stream | None) -> Settings:
    return settings_of(stream) if stream is not None else FIRST_SETTINGS


OPERATIONS = (
    Operation(
        "detections.get_trail",
        GetTrailDetections,
        StreamShown,
        get_detections,
        f"GET {TRAIL}",
        Permission.READ,
        "Say which threat detections are at work over the server's own audit trail, and why others are not.",
    ),
    Operation(
        "detections.get_trail_settings",
        GetTrailDetections,
        Settings,
        get_settings,
        f"GET {TRAIL}/settings",
        Permission.MANAGE,
        "Get the settings of the threat detections over the audit trail.",
    ),
    Operation(
        "detections.put_trail_settings",
        PutTrailSettings,
        Settings,
        put_settings,
        f"PUT {TRAIL}/settings",
        Permission.MANAGE,
        "Set thresholds, networks and objects of the threat detections over the audit trail.",
    ),
)
