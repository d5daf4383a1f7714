"""What is done with samples beside appending and reading them: sealing, closing windows, forgetting.

One node does it at a time, in steps that may be broken off anywhere: each reads, computes in a thread, and changes the
database in one short transaction that keeps the lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import leases
from storage.database import Database
from storage.leases import Lease
from storage.metric_tables import metric_chunks, metric_series
from storage.samples import chunks, closing, expiry, sealing
from storage.samples.chunks import WINDOW_MS
from storage.samples.closing import Window
from storage.samples.columns import COUNTER
from storage.samples.policy import MINUTE_MS, Policy
from storage.tables import to_microseconds

LEASE = "metric-samples"
# Nobody waits for it: samples are read from batches as well as from chunks.
LEASE_TIME = timedelta(seconds=30)

# Samples are collected from many places, and some come late.
GRACE_MS = 10 * MINUTE_MS

# Open parts of a window are merged when there are so many.
_PARTS = 12
# Seconds; well below the time of the lease.
_LONGEST_REST = 1.0
# Rows of series that are changed in one transaction.
_SERIES = 500


class LostLease(Exception):
    """Another node does it now; nothing was changed."""


class Maintenance:
    """The work of one node, `holder` in the lease. After each step it rests, `rest` times as long as that took."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], policy: Policy, holder: str, rest: float = 0.0
    ) -> None:
        self._database = database
        self._now = now
        self._policy = policy
        self._holder = holder
        self._rest = rest
        self._lease: Lease | None = None
        self._until = now()
        # Whether there may be more parts than are good: at the start, and after each sealing.
        self._may_gather = True

    async def work(self) -> int:
        """Does what there is to do, unless another node is at it: how many steps it were.

        The lease is kept until `close`, so this is to be called again before LEASE_TIME is over.
        """
        if not await self._leased():
            return 0
        done = 0
        try:
            for step in (self._seal, self._gather, self._close, self._expire):
                began = time.monotonic()
                while await step():
                    done += 1
                    if self._rest:
                        await asyncio.sleep(min(self._rest * (time.monotonic() - began), _LONGEST_REST))
                    began = time.monotonic()
        except LostLease:
            self._lease = None
        return done

    async def close(self) -> None:
        """Another node may go on at once."""
        if self._lease is not None:
            async with self._database.write() as connection:
                await leases.end(connection, self._lease)
            self._lease = None

    async def _leased(self) -> bool:
        """Whether this node has the lease, for a while."""
        at = self._now()
        if self._lease is not None and self._until - at > LEASE_TIME / 2:
            return True
        async with self._database.write() as connection:
            until = at + LEASE_TIME
            if self._lease is None or not await leases.keep(connection, self._lease, until=until):
                self._lease = await leases.take(connection, LEASE, self._holder, at=at, until=until)
        self._until = until
        return self._lease is not None

    @property
    def _now_ms(self) -> int:
        return to_microseconds(self._now()) // 1000

    @contextlib.asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.write() as connection:
            until = self._now() + LEASE_TIME
            if self._lease is None or not await leases.keep(connection, self._lease, until=until):
                raise LostLease
            yield connection
        self._until = until

    async def _seal(self) -> bool:
        async with self._database.read() as connection:
            due = await sealing.due(connection, self._now_ms)
            if due is None:
                return False
            batches = await sealing.batches_of(connection, due)
        sealed = await asyncio.to_thread(sealing.seal, batches)
        async with self._database.read() as connection:
            wider = await sealing.widened(connection, sealed.spans)
        columns = metric_series.c
        widen = update(metric_series).where(columns.id == bindparam("series_id"))
        # Before the batches are sealed: until then their times are known from them.
        for place in range(0, len(wider), _SERIES):
            async with self._changing() as connection:
                await connection.execute(widen, wider[place : place + _SERIES])
        async with self._changing() as connection:
            await sealing.finish(connection, due, sealed.parts)
        self._may_gather = True
        return True

    async def _gather(self) -> bool:
        if not self._may_gather:
            return False
        columns = metric_chunks.c
        query = select(columns.group_id, columns.start_ms).where(
            columns.is_open, columns.points < closing.MOST_POINTS // 2
        )
        query = query.group_by(columns.group_id, columns.start_ms).having(func.count() >= _PARTS).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
            parts = [] if row is None else await chunks.fetch_windows(connection, [row.group_id], 0, [row.start_ms])
        closed = await asyncio.to_thread(closing.gathered, parts, is_open=True)
        self._may_gather = bool(closed.new)
        if not closed.new:
            return False
        async with self._changing() as connection:
            await chunks.replace(connection, *closed)
        return True

    async def _close(self) -> bool:
        """Closes the oldest window that nobody is expected to write to any more."""
        columns = metric_chunks.c
        over = columns.start_ms <= self._now_ms - GRACE_MS - WINDOW_MS
        query = select(columns.group_id, columns.start_ms).where(columns.is_open, over)
        async with self._database.read() as connection:
            row = (await connection.execute(query.order_by(columns.start_ms, columns.group_id).limit(1))).first()
            if row is None:
                return False
            window = await _window(connection, row.group_id, row.start_ms)
            following = await _window(connection, row.group_id, row.start_ms + WINDOW_MS)
            counters = await _counters(connection, row.group_id)
        closed = await asyncio.to_thread(closing.close, window, following, counters)
        async with self._changing() as connection:
            await chunks.replace(connection, *closed)
        return True

    async def _expire(self) -> bool:
        async with self._database.read() as connection:
            expired = await expiry.find(connection, self._policy, self._now_ms)
        if expired:
            async with self._changing() as connection:
                await expiry.remove(connection, expired, self._policy, self._now_ms)
        return bool(expired)


async def _window(connection: AsyncConnection, group_id: int, start_ms: int) -> Window:
    rows = await chunks.fetch_windows(connection, [group_id], 0, [start_ms - WINDOW_MS, start_ms])
    tiers = [
        await chunks.fetch_windows(connection, [group_id], tier, [chunks.window_of(start_ms, tier)])
        for tier in range(1, len(chunks.STORED_MS))
    ]
    before = [row for row in rows if row.start_ms < start_ms]
    return Window(group_id, start_ms, [row for row in rows if row.start_ms == start_ms], before, tiers)


async def _counters(connection: AsyncConnection, group_id: int) -> list[int]:
    ids = closing.series_ids(group_id)
    query = select(metric_series.c.id).where(metric_series.c.id.in_(ids), metric_series.c.kind == COUNTER)
    return list(await connection.scalars(query))
