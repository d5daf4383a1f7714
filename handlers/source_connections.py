"""Open connections to data sources: one connector a source, shared by all who ask, closed when nobody does.

The connector itself bounds how many statements run in its source at once. It is replaced when the source's settings
change, whichever node changed them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from connectors.connector import Connector
from connectors.errors import BadSettings
from connectors.opening import open_connector
from connectors.performance.figures import PerformanceReader
from connectors.performance.opening import open_reader
from connectors.settings import SourceLimits, SourceSettings
from handlers.registry import NotFound
from storage import data_sources
from storage.data_sources import DataSource
from storage.database import Database
from storage.sealing import Sealer

logger = logging.getLogger(__name__)

# A panel that is looked at asks again sooner; a source gets its connections back within a minute.
IDLE_SECONDS = 60.0
# How often to look for idle ones.
_LOOK_SECONDS = 15.0


class Closable(Protocol):
    """What is open: closed once nobody uses it."""

    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closable)
Open = Callable[[str, SourceSettings], Awaitable[C]]


def purpose_of(source_id: int) -> str:
    """What a source's credentials are sealed for: they open for no other source."""
    return f"data_source:{source_id}"


@dataclass(slots=True, eq=False)
class _Entry(Generic[C]):
    """A connector and who uses it. `opening` is shared by all who come before it is there."""

    version: datetime
    opening: asyncio.Future[C]
    users: int = 0
    idle_since: float = 0.0
    retired: bool = False


class OpenSources(Generic[C]):
    """Hands out what is open by source id. `roots` are the folders that file sources must lie in, None for any."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        open_source: Open[C],
        *,
        roots: tuple[Path, ...] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sealer = sealer
        self.roots = roots
        self._database = database
        self._clock = clock
        self._open_source = open_source
        self._entries: dict[int, _Entry[C]] = {}
        self._retired: set[_Entry[C]] = set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def use(self, source_id: int) -> AsyncIterator[C]:
        """The source's own, opened if need be. Raises NotFound, ConnectorError, storage.sealing.WrongKey."""
        async with self._database.read() as connection:
            source = await data_sources.get(connection, source_id)
        if source is None:
            raise NotFound(f"There is no data source {source_id}.")
        entry = self._entry(source)
        entry.users += 1
        try:
            yield await self._opened(source_id, entry)
        finally:
            entry.users -= 1
            entry.idle_since = self._clock()
            if entry.retired and not entry.users:
                await self._close(entry)

    def settings_of(self, source: DataSource) -> SourceSettings:
        """The source's settings with its password in the clear. Raises WrongKey, BadSettings."""
        password = None
        if source.credentials is not None:
            opened = self.sealer.open(source.credentials, purpose_of(source.id), source.key_id)
            password = json.loads(opened)["password"]
        return connector_settings(source.settings, password, self.roots)

    def forget(self, source_id: int) -> None:
        """The source was changed or deleted: those who use it finish, and nobody else gets that connector."""
        self._drop(source_id)

    @property
    def open_count(self) -> int:
        """How many connectors are open or being opened."""
        return len(self._entries) + len(self._retired)

    async def run(self) -> None:
        """Closes idle connectors until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.close_idle()

    async def close_idle(self) -> None:
        """Closes what nobody has used for a while."""
        before = self._clock() - IDLE_SECONDS
        idle = [key for key, entry in self._entries.items() if not entry.users and entry.idle_since <= before]
        for source_id in idle:
            self._drop(source_id)
        await self._close_retired()

    async def close(self) -> None:
        """Closes everything, used or not."""
        self._closed = True
        for source_id in list(self._entries):
            self._drop(source_id)
        for entry in list(self._retired):
            await self._close(entry)

    def _entry(self, source: DataSource) -> _Entry[C]:
        if self._closed:
            raise BadSettings("the server is stopping")
        entry = self._entries.get(source.id)
        if entry is not None and entry.version != source.updated_at:
            self._drop(source.id)
            entry = None
        if entry is None:
            opening = asyncio.ensure_future(self._open(source))
            # Whoever waits is told; if nobody does any more, nobody needs to know.
            opening.add_done_callback(lambda done: done.cancelled() or done.exception())
            entry = self._entries[source.id] = _Entry(source.updated_at, opening, idle_since=self._clock())
        return entry

    async def _open(self, source: DataSource) -> C:
        return await self._open_source(source.kind, self.settings_of(source))

    async def _opened(self, source_id: int, entry: _Entry[C]) -> C:
        try:
            # Shielded: who waits may go away while others go on waiting.
            return await asyncio.shield(entry.opening)
        except Exception:
            if self._entries.get(source_id) is entry:
                del self._entries[source_id]
            raise

    def _drop(self, source_id: int) -> None:
        entry = self._entries.pop(source_id, None)
        if entry is not None:
            self._retire(entry)

    def _retire(self, entry: _Entry[C]) -> None:
        entry.retired = True
        self._retired.add(entry)

    async def _close_retired(self) -> None:
        for entry in [entry for entry in self._retired if not entry.users]:
            await self._close(entry)

    async def _close(self, entry: _Entry[C]) -> None:
        self._retired.discard(entry)
        entry.opening.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            connector = await entry.opening
            await connector.aclose()


class SourceConnections(OpenSources[Connector]):
    """The connectors that read what sources hold, and `monitors`, which read what sources know of themselves.

    Those have a connection of their own: a long scan must keep nobody from seeing who waits for whom.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        roots: tuple[Path, ...] | None = None,
        clock: Callable[[], float] = time.monotonic,
        open_source: Open[Connector] = open_connector,
        open_monitor: Open[PerformanceReader] | None = None,
    ) -> None:
        super().__init__(database, sealer, open_source, roots=roots, clock=clock)
        self.monitors = OpenSources(database, sealer, open_monitor or _open_monitor, roots=roots, clock=clock)

    def forget(self, source_id: int) -> None:
        super().forget(source_id)
        self.monitors.forget(source_id)

    async def close_idle(self) -> None:
        await super().close_idle()
        await self.monitors.close_idle()

    async def close(self) -> None:
        await super().close()
        await self.monitors.close()


async def _open_monitor(kind: str, settings: SourceSettings) -> PerformanceReader:
    try:
        return open_reader(kind, settings)
    except (KeyError, ValueError):
        raise BadSettings(f"a source of the kind {kind!r} tells nothing of itself; push its figures") from None


def connector_settings(stored: dict[str, Any], password: str | None, roots: tuple[Path, ...] | None) -> SourceSettings:
    """A connector's settings out of a source's stored ones."""
    usual = SourceLimits()
    limits = SourceLimits(
        statement_seconds=stored.get("statement_seconds") or usual.statement_seconds,
        row_cap=stored.get("row_cap") or usual.row_cap,
        connections=stored.get("max_connections") or usual.connections,
    )
    path = stored.get("path")
    return SourceSettings(
        host=stored.get("host"),
        port=stored.get("port"),
        database=stored.get("database"),
        user=stored.get("user"),
        password=password,
        tls=stored.get("tls") or "prefer",
        ca_certificate=stored.get("ca_certificate"),
        schemas=tuple(stored.get("schemas") or ()),
        path=Path(path) if path else None,
        pattern=stored.get("pattern") or "**/*",
        roots=roots,
        limits=limits,
    )
