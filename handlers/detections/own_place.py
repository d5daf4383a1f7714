"""Where alerts about the whole server are: a workspace that the server makes for itself.

It has no members at first, so that only those who administer the server see it; they may add others, and routes.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.detections.settings import Settings
from storage import detections, workspaces
from storage.detections import SERVER, Stream

NAME = "administrators"
TITLE = "Administrators"
# As the maker of what nobody made.
MADE_BY = "server"
# A list of documents is long at a thousand; of the tables of a database somebody reads a hundred thousand rows.
FIRST_SETTINGS = Settings(export_rows=10_000)
_STORED = msgspec.json.encode(FIRST_SETTINGS).decode()


async def ensure_workspace(connection: AsyncConnection, workspace_id: str, at: datetime) -> Stream:
    """The stream of what the audit trail tells of a workspace, locked."""
    scope = detections.workspace_scope(workspace_id)
    return await detections.ensure(connection, scope, workspace_id=workspace_id, settings=_STORED, at=at)


async def ensure_place(connection: AsyncConnection, at: datetime) -> Stream:
    """The stream of the whole server, locked; its workspace is made where there is none, or shown again if hidden."""
    stream = await detections.locked(connection, SERVER)
    if stream is not None:
        await workspaces.restore(connection, stream.workspace_id)
        return stream
    workspace_id = await _make(connection, at)
    return await detections.ensure(connection, SERVER, workspace_id=workspace_id, settings=_STORED, at=at)


async def _make(connection: AsyncConnection, at: datetime) -> str:
    """A new one, never one that a user made: its owner would read what is for administrators."""
    workspace_id, number = NAME, 1
    while not await workspaces.ensure(connection, workspace_id, title=TITLE, created_by=MADE_BY, at=at):
        number += 1
        workspace_id = f"{NAME}-{number}"
    return workspace_id
