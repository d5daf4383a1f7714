"""A node for tests: the real parts over an SQLite file, reached over HTTP without a network."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from migrated import lay_tables
from starlette.applications import Starlette
from starlette.requests import Request

from handlers.access import Access, Role
from handlers.audit_trail import AuditTrail
from handlers.catalogue import JOBS, OPERATIONS
from handlers.durable_runs import DurableRuns
from handlers.jobs import Job
from handlers.live_feeds import LiveFeeds
from handlers.parts import Limits, Outgoing, Parts
from handlers.registry import Context, Operation, Principal
from handlers.rooms import Rooms
from handlers.source_connections import SourceConnections
from handlers.workers import Workers
from server.auth import Authenticator
from server.http import build_routes
from server.lockouts import Lockouts
from server.problems import EXCEPTION_HANDLERS
from server.push_routes import push_routes
from server.settings import Settings
from server.this_node import Load, ThisNode
from server.tokens import ServerIssuer
from server.visitors import visitor_of
from storage import audit, members, users, workspaces
from storage.bus.directory import NodeDirectory
from storage.bus.memory_bus import MemoryBus
from storage.database import Database
from storage.samples.store import SampleStore
from storage.sealing import Sealer
from storage.shared_failures import Bounds
from storage.update_log import open_update_log

SECRET = "a secret for tests, long enough to sign with"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
# What the steps of durable runs are given when a node stops.
GRACE_SECONDS = 5.0
# As the settings have them, but for tests that guess more at one node than anybody may.
BOUNDS = Bounds(of_place=1000, of_name=10_000, first=30.0, longest=900.0)


@dataclass
class Node:
    """`client(user)` talks to it as that user; `clock` and `ticks` are its calendar and its stopwatch."""

    parts: Parts
    app: Starlette
    clock: datetime = START
    ticks: float = 0.0
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def now(self) -> datetime:
        return self.clock

    def token(self, user: str) -> str:
        return ServerIssuer(SECRET, self.now).issue(user, timedelta(hours=1))

    def client(self, user: str | None, *, credential: str | None = None) -> httpx.AsyncClient:
        headers = {}
        if user is not None or credential is not None:
            headers["Authorization"] = f"Bearer {credential or self.token(user or '')}"
        transport = httpx.ASGITransport(app=self.app)
        client = httpx.AsyncClient(transport=transport, base_url="http://studio", headers=headers)
        self.clients.append(client)
        return client

    def context(self, user: str | None, *, is_admin: bool = False, via: str = "token") -> Context:
        principal = Principal(user, is_admin, via) if user is not None else None
        return Context(principal, self.parts, "request-1", self.now)

    async def make_user(self, user: str, *, is_admin: bool = False) -> None:
        async with self.parts.database.write() as connection:
            await users.ensure(connection, user, at=self.clock, is_admin=is_admin)

    async def make_workspace(self, workspace_id: str, **roles: Role) -> None:
        """A workspace with these members, made as if long ago."""
        async with self.parts.database.write() as connection:
            await workspaces.create(connection, workspace_id, created_by="somebody", at=self.clock)
            for user, role in roles.items():
                await users.ensure(connection, user, at=self.clock)
                await members.put(connection, workspace_id, user, role, added_by="somebody", at=self.clock)

    async def audited(self) -> list[audit.Entry]:
        """All of the audit trail, the oldest first, refusals that waited included."""
        await self.parts.audit.flush()
        async with self.parts.database.read() as connection:
            rows = await audit.read(connection, limit=1000)
        return rows[::-1]


@contextlib.asynccontextmanager
async def serving(
    place: Path | str,
    *,
    operations: Sequence[Operation] = OPERATIONS,
    jobs: Sequence[Job] = JOBS,
    limits: Limits | None = None,
    folder: Path | None = None,
    node_id: str = "node",
    takeover_seconds: float = 10.0,
    outgoing: Outgoing | None = None,
) -> AsyncIterator[Node]:
    """A node over a database's URL, or over `studio.sqlite3` in a folder.

    `admin` and `ada` are users of it, the first its administrator. Its rooms store what they take in. Nobody executes
    its runs until a test does; their files go into `folder`.
    """
    url = place if isinstance(place, str) else f"sqlite:///{place / 'studio.sqlite3'}"
    await lay_tables(url)
    database = await Database.open(url)
    workers = Workers()
    node = None
    try:
        await database.migrate()
        files = folder or (place if isinstance(place, Path) else Path("data"))
        bus = MemoryBus(node_id)
        runs = DurableRuns(
            database,
            bus,
            jobs,
            lambda: node.clock if node else START,
            folder=files,
            takeover_seconds=takeover_seconds,
        )
        node = _compose(database, workers, operations, limits or Limits(), bus, runs, outgoing or Outgoing())
        await node.make_user("admin", is_admin=True)
        await node.make_user("ada")
        running = asyncio.ensure_future(node.parts.rooms.run())
        try:
            yield node
            await node.parts.rooms.close()
        finally:
            running.cancel()
            await asyncio.wait((running,))
        for client in node.clients:
            await client.aclose()
        await node.parts.audit.close()
    finally:
        if node is not None:
            await node.parts.computations.close()
            await node.parts.sources.close()
            await node.parts.readers.close()
        await workers.close()
        await database.close()


@contextlib.asynccontextmanager
async def executing(
    place: Path | str, *, jobs: Sequence[Job], folder: Path, node_id: str = "node", takeover_seconds: float = 10.0
) -> AsyncIterator[Node]:
    """A node that executes runs of these jobs. Leaving the block gives the steps under way GRACE_SECONDS."""
    async with serving(place, jobs=jobs, folder=folder, node_id=node_id, takeover_seconds=takeover_seconds) as node:
        service = asyncio.ensure_future(node.parts.runs.run(node.parts))
        try:
            yield node
        finally:
            await node.parts.runs.close(GRACE_SECONDS)
            await service


def _compose(
    database: Database,
    workers: Workers,
    operations: Sequence[Operation],
    limits: Limits,
    bus: MemoryBus,
    runs: DurableRuns,
    outgoing: Outgoing,
) -> Node:
    def now() -> datetime:
        return node.clock

    access = Access(database, clock=lambda: node.ticks, now=now)
    rooms = Rooms(database, open_update_log(database), workers)
    feeds = LiveFeeds(database, bus, access, now)
    this_node = ThisNode(bus.node_id, Settings(), None, START, lambda: Load(0, rooms.open_count, draining=False))
    nodes = NodeDirectory(bus, this_node.describe, now)
    sources = SourceConnections(database, Sealer(SECRET.encode()), clock=lambda: node.ticks)
    audit_trail = AuditTrail(database, now)
    samples = SampleStore(database, now)
    parts = Parts(
        database, rooms, access, audit_trail, workers, bus, feeds, nodes, sources, runs, samples, limits, outgoing
    )
    lockouts = Lockouts(BOUNDS, audit_trail)
    authenticator = Authenticator(database, access, SECRET, now, lockouts)
    pushing = push_routes(parts, authenticator, None, now)

    async def authenticate(request: Request) -> Principal | None:
        return await authenticator.authenticate_headers(request.headers, visitor_of(request))

    routes = [*pushing, *build_routes(operations, parts, authenticate, now=now)]
    node = Node(parts, Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS))
    return node


def play(
    place: Path | str,
    scenario: Callable[[Node], Awaitable[None]],
    *,
    operations: Sequence[Operation] = OPERATIONS,
    limits: Limits | None = None,
    outgoing: Outgoing | None = None,
) -> None:
    """Runs a scenario against a node of its own."""

    async def run() -> None:
        async with serving(place, operations=operations, limits=limits, outgoing=outgoing) as node:
            await scenario(node)

    asyncio.run(run())
