"""The service that collects: each source on one node of the cluster at a time, under a lease that ends with the node.

A node takes its share of the sources and keeps its leases in one statement for all. A source whose node died is taken
by another one once the lease has ended. Nothing is asked of anybody while no source is to be collected from.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from handlers.attention import attention
from handlers.performance.collected_source import visits_of
from handlers.performance.exporter_visits import ExporterVisits
from handlers.performance.pacing import Pace
from handlers.performance.sharing import Share
from handlers.performance.visit_notes import VisitNotes
from handlers.performance.visit_slots import VisitSlots
from handlers.performance.visiting import SourceVisits
from handlers.registry import NotFound
from storage import leases, metric_collections
from storage.errors import StorageError
from storage.leases import Lease
from storage.metric_collections import Collected, Visits

if TYPE_CHECKING:
    from handlers.parts import Parts

logger = logging.getLogger(__name__)

# The topic of the words about what is to be collected (handlers/changes.py).
TOPIC = "collections"
LEASE_SECONDS = 15.0
LOOK_SECONDS = 5.0
# Without any source there is nothing to look for, until somebody says so.
IDLE_LOOK_SECONDS = 60.0
RETRY_SECONDS = 2.0


def lease_name(source_id: int) -> str:
    return f"collect:{source_id}"


async def keep_collecting(parts: Parts) -> None:
    """The service: collects until it is cancelled."""
    await Collecting(parts).run()


@dataclass(slots=True)
class _Held:
    """A source that this node collects from. `kept_at` is when the lease was surely ours, by the stopwatch."""

    collected: Collected
    lease: Lease
    kept_at: float
    task: asyncio.Task[None] | None = None


class Collecting:
    """What one node collects. `look` takes and gives up sources, `run` does it for as long as the node lives."""

    def __init__(
        self,
        parts: Parts,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        holder: str | None = None,
    ) -> None:
        self._parts = parts
        self._now = now
        self._clock = clock
        self._holder = holder or parts.bus.node_id
        self._held: dict[int, _Held] = {}
        self._slots = VisitSlots()
        self._notes = VisitNotes(parts.database)
        self._share = Share()

    @property
    def source_ids(self) -> list[int]:
        """The sources that this node collects from."""
        return sorted(self._held)

    async def run(self) -> None:
        """Collects until it is cancelled; others may go on at once then."""
        noting = asyncio.create_task(self._notes.run())
        try:
            with attention(self._parts.changes, TOPIC, "data_sources") as news:
                while True:
                    pause = RETRY_SECONDS
                    try:
                        pause = await self.look()
                    except StorageError as error:
                        logger.warning("what is to be collected cannot be looked at, trying again: %s", error)
                    await news.wait(pause)
        finally:
            noting.cancel()
            await self._stop()

    async def look(self) -> float:
        """Takes what is this node's, gives up what is not, and says in how many seconds to look again."""
        async with self._parts.database.read() as connection:
            wanted = {each.source_id: each for each in await metric_collections.enabled(connection)}
            names = {lease_name(each): each for each in wanted if each not in self._held}
            free = {names[name] for name in await leases.free_at(connection, names, at=self._now())} if names else set()
        for source_id, held in list(self._held.items()):
            if held.collected != wanted.get(source_id):
                await self._give_up(source_id)
                free |= {source_id} & wanted.keys()
        self._share.look({sighting.card.node_id for sighting in self._parts.nodes.nodes()}, len(wanted))
        await self._keep()
        await self._take([wanted[each] for each in self._share.to_take(free, len(self._held))])
        for source_id in self._share.to_give_up(self._held):
            await self._give_up(source_id)
        return LOOK_SECONDS if wanted else IDLE_LOOK_SECONDS

    async def _keep(self) -> None:
        if not self._held:
            return
        asked_at, until = self._clock(), self._now() + timedelta(seconds=LEASE_SECONDS)
        async with self._parts.database.write() as connection:
            kept = await leases.keep_all(connection, [held.lease for held in self._held.values()], until=until)
        for source_id, held in list(self._held.items()):
            if held.lease.name in kept:
                held.kept_at = asked_at
            else:
                logger.warning("the source %d is collected by another node now", source_id)
                await self._end(source_id)

    async def _take(self, collected: Sequence[Collected]) -> None:
        if not collected:
            return
        now, asked_at = self._now(), self._clock()
        until = now + timedelta(seconds=LEASE_SECONDS)
        taken: list[tuple[Collected, Lease]] = []
        async with self._parts.database.write() as connection:
            for each in collected:
                lease = await leases.take(connection, lease_name(each.source_id), self._holder, at=now, until=until)
                if lease is not None:
                    taken.append((each, lease))
            before = await metric_collections.visits(connection, [each.source_id for each, _ in taken])
        for each, lease in taken:
            held = self._held[each.source_id] = _Held(each, lease, asked_at)
            held.task = asyncio.create_task(self._collect(held, before.get(each.source_id)))

    async def _give_up(self, source_id: int) -> None:
        """Others may have it at once, and know how far it was."""
        held = self._held.get(source_id)
        await self._end(source_id)
        await self._notes.write()
        if held is not None:
            async with self._parts.database.write() as connection:
                await leases.end(connection, held.lease)

    async def _end(self, source_id: int) -> None:
        held = self._held.pop(source_id, None)
        if held is not None and held.task is not None:
            held.task.cancel()
            await asyncio.wait((held.task,))

    async def _stop(self) -> None:
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        with contextlib.suppress(StorageError):
            await self._notes.write()
            if self._held:
                async with self._parts.database.write() as connection:
                    for held in self._held.values():
                        await leases.end(connection, held.lease)
        self._held.clear()

    # One source

    async def _collect(self, held: _Held, before: Visits | None) -> None:
        """Visits the source and its exporter until it is another node's, or not to be collected from any more."""
        source_id = held.collected.source_id
        try:
            visits = self._visits(held.collected, before)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._go_on(held, visits.pace, functools.partial(self._turn, held, visits)))
                if (exporter := visits.exporter) is not None and visits.is_read:
                    turn = functools.partial(self._exporter_turn, held, visits, exporter)
                    group.create_task(self._go_on(held, exporter.pace, turn))
        except* NotFound:
            logger.info("the source %d is gone", source_id)
        except* Exception:
            logger.exception("collecting from the source %d has ended; it is taken up again", source_id)
            # Not at once: what is wrong is wrong again.
            await asyncio.sleep(LOOK_SECONDS)
            self._held.pop(source_id, None)

    async def _go_on(self, held: _Held, pace: Pace, turn: Callable[[], Awaitable[None]]) -> None:
        """A turn whenever the pace says so, while the source is ours."""
        while True:
            await asyncio.sleep(max(0.0, pace.next_at - self._seconds()))
            if not self._is_ours(held):
                # The database was away for as long as the lease lasts. Without it nothing could be stored, either.
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await turn()
            except StorageError as error:
                logger.warning("figures of the source %d could not be stored: %s", held.collected.source_id, error)
                pace.left_alone(self._seconds())

    async def _turn(self, held: _Held, visits: SourceVisits) -> None:
        before = visits.pace.state
        async with self._slots.one():
            await visits.turn(lambda: self._is_ours(held))
        self._notes.add(visits.visits)
        if visits.pace.state is not before:
            await self._notes.write()
            self._parts.changes.tell(TOPIC, held.collected.workspace_id)

    async def _exporter_turn(self, held: _Held, visits: SourceVisits, exporter: ExporterVisits) -> None:
        async with self._slots.one():
            await exporter.turn(await visits.source(), lambda: self._is_ours(held))

    def _visits(self, collected: Collected, before: Visits | None) -> SourceVisits:
        return visits_of(self._parts, collected, before, self._seconds)

    def _seconds(self) -> float:
        return self._now().timestamp()

    def _is_ours(self, held: _Held) -> bool:
        """Whether nobody else can have taken the source yet."""
        return self._clock() - held.kept_at < LEASE_SECONDS
