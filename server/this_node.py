"""What this node tells others of itself, and the bus it tells it over."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata

from server.bootstrap import installation_name
from server.settings import Settings
from server.startup import StartError
from storage.bus.channels import Bus
from storage.bus.directory import NodeCard
from storage.bus.opening import open_bus
from storage.database import Database
from storage.errors import InvalidUrl

EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


async def open_node_bus(settings: Settings, database: Database, node_id: str) -> Bus:
    """The bus of the settings; only nodes on this database hear each other on it. Raises StartError."""
    if settings.redis_url is None:
        return open_bus(None, node_id)
    try:
        return open_bus(settings.redis_url, node_id, prefix=f"studio:{await installation_name(database)}")
    except InvalidUrl as error:
        raise StartError(str(error)) from None


def address_for_others(settings: Settings, port: int | None) -> str:
    """Where this node is found: the public URL, or the address it listens on as other machines would write it."""
    if settings.public_url:
        return settings.public_url
    host = socket.gethostname() if settings.host in EVERY_INTERFACE else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port if port is None else port}"


@dataclass(frozen=True, slots=True)
class Load:
    """What the node does at a moment: its WebSockets, the documents in its memory, and whether it is about to stop."""

    connections: int
    rooms: int
    draining: bool


class ThisNode:
    """Describes the node, with the load it has when asked."""

    def __init__(
        self, node_id: str, settings: Settings, port: int | None, started_at: datetime, load: Callable[[], Load]
    ) -> None:
        """`port` is the one that was taken, where the settings leave it open."""
        self._node_id = node_id
        self._host = socket.gethostname()
        self._address = address_for_others(settings, port)
        self._version = _version()
        self._started_at = started_at
        self._load = load

    def describe(self) -> NodeCard:
        load = self._load()
        return NodeCard(
            node_id=self._node_id,
            host=self._host,
            address=self._address,
            pid=os.getpid(),
            version=self._version,
            started_at=self._started_at,
            connections=load.connections,
            rooms=load.rooms,
            draining=load.draining,
        )


def _version() -> str:
    try:
        return metadata.version("collab-studio")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0.0+checkout"
