"""A whole node inside the test's event loop, over a real SQLite database; only the transports are the test's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import uvicorn
from migrated import lay_tables
from uvicorn.config import HTTPProtocolType, WSProtocolType

from handlers.rooms import Rooms
from server.app import Studio, running
from server.bootstrap import prepare_first_use, signing_secret
from server.hocuspocus import HocuspocusDialect
from server.http import utc_now
from server.settings import Settings
from server.tokens import ServerIssuer
from server.y_websocket import YWebSocketDialect
from storage import documents, members, users
from storage.database import Database
from storage.documents import Document


@dataclass
class Node:
    """What tests ask of a node."""

    studio: Studio
    database: Database
    secret: str

    @property
    def rooms(self) -> Rooms:
        return self.studio.parts.rooms

    def token(self, user: str) -> str:
        return ServerIssuer(self.secret, utc_now).issue(user, timedelta(hours=1))

    def connect(self, wire: Any, is_hocuspocus: bool, name: str, user: str) -> Any:
        """A dialect over the test's wire, as the gateway makes it after a handshake."""
        gateway = self.studio.gateway
        if is_hocuspocus:
            return HocuspocusDialect(gateway, wire)
        plain = YWebSocketDialect(gateway, wire)
        gateway.admit(wire, self.token(user), None, name, plain.admitted, plain.denied)
        return plain

    async def enlist(self, user: str, role: str = "editor") -> None:
        now = datetime.now(UTC)
        async with self.database.write() as connection:
            await users.ensure(connection, user, at=now)
            await members.put(connection, "default", user, role, added_by="admin", at=now)
        self.studio.parts.access.invalidate("default", user)

    async def document(self, name: str) -> Document:
        """The document, made if need be."""
        async with self.database.write() as connection:
            found = await documents.get(connection, "default", name)
            if found is None:
                found = await documents.create(connection, "default", name, created_by="admin", at=datetime.now(UTC))
        return found

    async def purge(self, document: Document) -> None:
        """Delete the document's rows under whoever has it open."""
        async with self.database.write() as connection:
            await documents.purge(connection, document.id)

    async def settled(self) -> None:
        """Returns when the turns that are due have ended and everything taken in is stored."""
        await asyncio.sleep(0.01)
        await self.rooms.writer.settled()


@asynccontextmanager
async def running_node(folder: Path, *, tracing: Any = None, **settings: Any) -> AsyncIterator[Node]:
    """A node over a new database in the folder; its spans go to `tracing`."""
    chosen = Settings(data=folder, **settings)
    await lay_tables(chosen.database_url)
    database = await Database.open(chosen.database_url)
    try:
        await database.migrate()
        await prepare_first_use(database, utc_now())
        secret = await signing_secret(database, None)
        async with running(chosen, database, secret, tracing) as studio:
            yield Node(studio, database, secret)
    finally:
        await database.close()


@asynccontextmanager
async def listening(folder: Path, *, is_stock: bool, **settings: Any) -> AsyncIterator[tuple[Node, int]]:
    """A node on a port, with the protocol class that it has in earnest, or under a stock ASGI server."""
    async with running_node(folder, **settings) as node:
        gateway = node.studio.gateway
        http, ws = cast(HTTPProtocolType, gateway.front_door), cast(WSProtocolType, gateway.websocket)
        own = {} if is_stock else {"http": http, "ws": ws}
        config = uvicorn.Config(node.studio.app, lifespan="off", log_config=None, **own)  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            serving = asyncio.create_task(server.serve([listener]))
            try:
                yield node, listener.getsockname()[1]
            finally:
                server.should_exit = True
                await serving
