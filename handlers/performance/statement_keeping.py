"""Statements of a source, kept by the minute: what they did, what they say, and how they would be executed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connectors.errors import ConnectorError, Unreachable
from connectors.performance.figures import PerformanceReader, StatementPlan, StatementSnapshot, Unsupported
from handlers.performance.statement_windows import StatementWindow, decoded, difference, encoded, merged
from storage import statements

if TYPE_CHECKING:
    from storage.database import Database

logger = logging.getLogger(__name__)

# Windows are stretches that were watched without a gap of more than a few of them.
LONGEST_WINDOW_MS = 15 * 60_000
KEEP = timedelta(days=15)
# Minutes are of interest for two days; later an hour says as much, in a sixtieth of the room.
MINUTES_FOR_MS = 2 * 86_400_000
HOUR_MS = 3_600_000
# Looking for plans costs the source some planning, so it is done for the few that matter, each once an hour.
PLANS_AT_ONCE = 3
PLAN_EACH_SECONDS = 3600.0
_TEXTS_AT_ONCE = 100


class StatementKeeper:
    """Keeps the statements of one source, as long as this node collects from it."""

    def __init__(self, database: Database, source_id: int, top: int, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._source_id = source_id
        self._top = top
        self._now = now
        self._before: StatementSnapshot | None = None
        self._planned: dict[str, float] = {}
        self._tidied_hour = 0

    async def look(self, reader: PerformanceReader, *, with_plans: bool = False) -> Unsupported | None:
        """Stores what happened since the last look: what keeps that from being told, else None. Raises ConnectorError,
        StorageError; then this stretch goes into the next look.
        """
        snapshot = await reader.statements()
        if isinstance(snapshot, Unsupported):
            self._before = None
            return snapshot
        window = self._difference(snapshot)
        if window is not None:
            await self._store(reader, window)
        self._before = snapshot
        if window is not None and with_plans:
            await self._keep_plans(reader, window)
        await self._tidy(snapshot.at_ms)
        return None

    def _difference(self, snapshot: StatementSnapshot) -> StatementWindow | None:
        if self._before is None or snapshot.at_ms - self._before.at_ms > LONGEST_WINDOW_MS:
            return None
        return difference(self._before, snapshot, self._top)

    async def _store(self, reader: PerformanceReader, window: StatementWindow) -> None:
        at = datetime.fromtimestamp(window.end_ms / 1000, UTC)
        async with self._database.write() as connection:
            await statements.put_window(connection, self._source_id, encoded(window))
            known = await statements.seen(connection, self._source_id, window.keys, at=at)
        new = [key for key in window.keys if key not in known][:_TEXTS_AT_ONCE]
        if new:
            found = await reader.statement_texts(new)
            async with self._database.write() as connection:
                texts = {key: (one.text, one.normalised) for key, one in found.items()}
                await statements.put_texts(connection, self._source_id, texts, at=at)

    async def _keep_plans(self, reader: PerformanceReader, window: StatementWindow) -> None:
        now = self._now()
        due = [key for key in window.keys if now - self._planned.get(key, 0.0) >= PLAN_EACH_SECONDS][:PLANS_AT_ONCE]
        self._planned = {key: at for key, at in self._planned.items() if now - at < PLAN_EACH_SECONDS}
        for key in due:
            self._planned[key] = now
            try:
                plan = await reader.plan(key)
            except Unreachable:
                raise
            except ConnectorError as error:
                logger.info("a statement of the source %d cannot be planned: %s", self._source_id, error)
                continue
            if isinstance(plan, StatementPlan):
                at = datetime.fromtimestamp(now, UTC)
                async with self._database.write() as connection:
                    await statements.put_plan(connection, self._source_id, key, plan.shape, plan.plan, plan.cost, at=at)

    async def _tidy(self, at_ms: int) -> None:
        """Once an hour: what is old enough is put together by the hour, and what is older goes."""
        hour = at_ms // HOUR_MS
        if hour == self._tidied_hour:
            return
        self._tidied_hour = hour
        end_ms = (at_ms - MINUTES_FOR_MS) // HOUR_MS * HOUR_MS
        keep = int(KEEP.total_seconds() * 1000)
        async with self._database.read() as connection:
            rows = await statements.windows(connection, self._source_id, end_ms - 24 * HOUR_MS, end_ms)
        by_hour: dict[int, list[statements.Window]] = {}
        for row in rows:
            by_hour.setdefault(row.start_ms // HOUR_MS * HOUR_MS, []).append(row)
        for start_ms, of_hour in by_hour.items():
            if len(of_hour) > 1:
                await self._put_together(start_ms, of_hour)
        async with self._database.write() as connection:
            await statements.remove_windows(connection, self._source_id, 0, at_ms - keep)
            before = datetime.fromtimestamp(at_ms / 1000, UTC) - KEEP
            await statements.trim_texts(connection, self._source_id, before=before)

    async def _put_together(self, start_ms: int, rows: Sequence[statements.Window]) -> None:
        whole = await asyncio.to_thread(lambda: merged(decoded(rows), self._top))
        assert whole is not None
        async with self._database.write() as connection:
            await statements.remove_windows(connection, self._source_id, start_ms, start_ms + HOUR_MS)
            await statements.put_window(connection, self._source_id, encoded(whole))
