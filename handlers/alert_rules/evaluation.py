"""One evaluation after the other: what is new of the sources, judged, and written with how far it went."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import numpy as np

from analysis.alerting.plans import Happened
from handlers.alert_rules import loading
from handlers.alert_rules.loading import MOST_BATCHES, Loaded, add_series
from handlers.alert_rules.reading import milliseconds
from handlers.alert_rules.recording import record
from handlers.alert_transitions import Move, move_many, resolve
from handlers.parts import Parts
from storage import alert_rules, leases
from storage.errors import TrimmedTail
from storage.leases import Lease
from storage.samples.columns import Batch

# Who holds the lease has to show itself within this time; whoever takes over does so within 5 s.
LEASE_TIME = timedelta(seconds=3)
# Renewed this often where there is nothing else to write.
RENEW_TIME = timedelta(seconds=1)
# What nobody evaluated for longer than this is no evidence: neither of absence, nor that something held.
AWAY_TIME = timedelta(seconds=10)
# Older samples are part of windows, but nobody is alerted of them any more.
LATE_MS = 300_000
# Fewer samples are judged sooner than a thread is asked.
_FEW = 500


class LeaseLost(Exception):
    """Another node evaluates now; nothing of this evaluation was written."""


class RulesChanged(Exception):
    """A rule is another one by now; nothing of this evaluation was written."""


class Evaluation:
    """The rules as this node evaluates them while it has the lease. After any failure a new one has to be made."""

    def __init__(self, parts: Parts, lease: Lease, loaded: Loaded, now: Callable[[], datetime]) -> None:
        self._parts, self._lease, self._now = parts, lease, now
        self.loaded = loaded
        self._renewed_at: datetime | None = None

    @classmethod
    async def begin(
        cls, parts: Parts, lease: Lease, now: Callable[[], datetime], seen_until: datetime | None
    ) -> Evaluation:
        """Goes on where the last one ended, whoever made it; that was until `seen_until`, if it is known."""
        async with _renewing(parts, lease, now):
            evaluation = cls(parts, lease, await loading.load(parts, milliseconds(now())), now)
            away = seen_until is not None and now() - seen_until > AWAY_TIME
            await evaluation._catch_up(milliseconds(seen_until) if away and seen_until is not None else None)
        return evaluation

    async def _catch_up(self, away_since: int | None) -> None:
        """What a rule that is new finds, then what came while nobody evaluated."""
        engine, now_ms = self.loaded.engine, milliseconds(self._now())
        happened = engine.resume(away_since, now_ms) if away_since is not None else []
        happened += await asyncio.to_thread(engine.look_at_newest, engine.plans.values(), now_ms - LATE_MS)
        unseen, self.loaded.unseen = self.loaded.unseen, {}
        for source_id, batches in unseen.items():
            happened += await self._take(source_id, batches)
        happened += await asyncio.to_thread(engine.advance, milliseconds(self._now()))
        await self._write(happened)
        if self.loaded.without_source:
            await self._end_without_source()

    async def _end_without_source(self) -> None:
        """Nobody will ever hear more of what these alerts are about."""
        now = self._now()
        over = resolve("The data source was deleted.", at=now)
        async with self._parts.feeds.writing() as (connection, outbox):
            if not await leases.keep(connection, self._lease, until=now + LEASE_TIME):
                raise LeaseLost(self._lease.name)
            await move_many(connection, outbox, [Move(each, over) for each in self.loaded.without_source], at=now)
        self.loaded.without_source.clear()

    async def turn(self) -> int:
        """Evaluates what is new and what is due; how many changes of alerts that led to.

        Raises LeaseLost, RulesChanged, StorageError: it must not be used any more then.
        """
        happened: list[Happened] = []
        async with _renewing(self._parts, self._lease, self._now):
            for source_id, head in (await self._parts.samples.heads(self.loaded.sources)).items():
                while self.loaded.cursors.get(source_id, 0) < head:
                    happened += await self._follow(source_id, head)
            happened += self.loaded.engine.advance(milliseconds(self._now()))
        if happened or self._is_due():
            await self._write(happened)
        return len(happened)

    def _is_due(self) -> bool:
        return self._renewed_at is None or self._now() - self._renewed_at >= RENEW_TIME

    async def _follow(self, source_id: int, head: int) -> list[Happened]:
        cursor = self.loaded.cursors.get(source_id, 0)
        try:
            batches = await self._parts.samples.batches_after(source_id, cursor, MOST_BATCHES)
        except TrimmedTail:
            # So late that nothing of it is to be acted on; what follows begins with the windows as they are.
            self.loaded.cursors[source_id] = head
            return []
        happened = await self._take(source_id, batches)
        self.loaded.cursors.setdefault(source_id, head)
        return happened

    async def _take(self, source_id: int, batches: list[Batch]) -> list[Happened]:
        if not batches:
            return []
        now_ms = milliseconds(self._now())
        ids, at_ms, value = (
            np.concatenate([getattr(batch, name) for batch in batches]) for name in ("series_ids", "at_ms", "value")
        )
        if any(
            each not in self.loaded.engine.series and each not in self.loaded.others for each in np.unique(ids).tolist()
        ):
            await add_series(self._parts.samples, self.loaded, source_id, now_ms, batches, after=batches[-1].seq)
            self.loaded.others.update(each for each in np.unique(ids).tolist() if each not in self.loaded.engine.series)
        self.loaded.cursors[source_id] = batches[-1].seq
        take = self.loaded.engine.take
        if ids.size <= _FEW and not self.loaded.engine.is_slow:
            return take(ids, at_ms, value, not_before=now_ms - LATE_MS)
        return await asyncio.to_thread(take, ids, at_ms, value, not_before=now_ms - LATE_MS)

    async def _write(self, happened: list[Happened]) -> None:
        """All that came of it in one transaction, which keeps the lease."""
        now, loaded = self._now(), self.loaded
        moved = {
            source_id: seq for source_id, seq in loaded.cursors.items() if loaded.stored_cursors.get(source_id) != seq
        }
        async with self._parts.feeds.writing() as (connection, outbox):
            if not await leases.keep(connection, self._lease, until=now + LEASE_TIME):
                raise LeaseLost(self._lease.name)
            versions = {one.plan.rule.id: one.plan.rule.version for one in happened}
            if versions and not await alert_rules.are_as_known(connection, versions):
                raise RulesChanged
            await record(connection, outbox, happened, loaded.alert_ids)
            await alert_rules.move_cursors(connection, moved)
        loaded.stored_cursors |= moved
        self._renewed_at = now


@contextlib.asynccontextmanager
async def _renewing(parts: Parts, lease: Lease, now: Callable[[], datetime]) -> AsyncIterator[None]:
    """Keeps the lease while something takes longer than the lease does."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_TIME.total_seconds())
            async with parts.database.write() as connection:
                await leases.keep(connection, lease, until=now() + LEASE_TIME)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait((renewing,))
