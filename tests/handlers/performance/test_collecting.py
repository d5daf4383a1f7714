"""Collecting: each source by one node, gaps where nothing is known, and never a spike."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from collecting_nodes import (
    Counted,
    collecting,
    in_background,
    make_lab,
    make_source,
    rates,
    samples_of,
    set_collection,
    until,
)

from connectors.performance.figures import Level, Visit
from handlers.performance import visiting
from handlers.performance.collecting import LEASE_SECONDS, Collecting
from handlers.performance.visit_slots import VISITS_AT_ONCE, VisitSlots
from handlers.performance.visiting import SourceVisits
from storage import data_sources, leases, metric_collections


async def _visits(node: Any, source_id: int, now: list[float], before: Any = None) -> SourceVisits:
    async with node.parts.database.read() as connection:
        [collected] = [each for each in await metric_collections.enabled(connection) if each.source_id == source_id]
    return SourceVisits(node.parts, collected, before, now=lambda: now[0])


def test_a_visit_stores_what_the_source_tells_and_how_the_visit_went(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader = Counted()
        async with collecting(tmp_path, reader=reader) as (node, service):
            await make_lab(node)
            source_id = await make_source(node)
            shown = await set_collection(node, source_id, enabled=True, preset="detailed", statements=False)
            assert shown["state"] == "waiting"
            async with in_background(service.run()):

                async def working() -> Any:
                    answer = (await node.client("bob").get(f"/performance/collections/{source_id}")).json()
                    return answer if answer["state"] == "working" else None

                shown = await until(working)
            assert shown["failures"] == 0
            assert shown["last_success_at"] is not None
            assert [level for _, level in reader.visits[:3]] == list(Level)
            assert [value for _, value in await samples_of(node, source_id, "up")] == [1.0] * (
                len(reader.visits) // 3 or 1
            )
            # Its first sample begins the series: nothing is known before.
            assert [value for _, value in (await samples_of(node, source_id, "toy.fast.count"))[:2]] == [None, 0.0]
            assert await samples_of(node, source_id, "collector.visit.seconds")
            assert service.source_ids == []
            async with node.parts.database.read() as connection:
                assert await leases.free_at(connection, [f"collect:{source_id}"], at=node.now()) != set()

    asyncio.run(scenario())


def test_nothing_is_asked_of_a_source_that_nobody_wants_collected(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader = Counted()
        async with collecting(tmp_path, reader=reader) as (node, service):
            await make_lab(node)
            source_id = await make_source(node)
            assert await service.look() >= 60
            await set_collection(node, source_id, enabled=True)
            await service.look()
            assert service.source_ids == [source_id]
            await set_collection(node, source_id, enabled=False)
            await service.look()
            assert service.source_ids == []
            await set_collection(node, source_id, enabled=True)
            await service.look()
            async with node.parts.database.write() as connection:
                await data_sources.delete(connection, source_id, at=node.now())
            await service.look()
            assert service.source_ids == []

    asyncio.run(scenario())


def test_a_source_that_is_away_leaves_a_gap_and_a_word_and_is_left_alone(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        reader = Counted()
        async with collecting(tmp_path, reader=reader) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True, statements=False)
            now = [node.now().timestamp()]
            reader.clock = lambda: now[0]
            visits = await _visits(node, source_id, now)
            await visits.turn()
            reader.is_away = True
            asked = []
            for _ in range(8):
                now[0] = visits.pace.next_at
                before = len(reader.visits)
                await visits.turn()
                asked.append(len(reader.visits) - before)
            ups = [value for _, value in await samples_of(node, source_id, "up")]
            assert ups == [1.0] + [0.0] * 8
            assert asked[:3] == [1, 1, 1]
            assert sum(asked) < 8
            assert visits.visits.failures >= 3
            assert visits.visits.error == "The connection broke."
            fast = await samples_of(node, source_id, "toy.fast.count")
            # One marker from when it was away, and no more of them.
            assert [value for _, value in fast] == [None, 0.0, None]

    asyncio.run(scenario())


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_counter_that_began_anew_beyond_its_old_value_leaves_no_rate(tmp_path: Path, dies_at: int) -> None:
    """Also when the collector dies between storing the samples and what it remembers of them, at any visit."""

    async def scenario() -> None:
        reader = Counted()
        async with collecting(tmp_path, reader=reader) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True, statements=False)
            now = [node.now().timestamp()]
            reader.clock = lambda: now[0]
            remembered = None
            visits = await _visits(node, source_id, now)
            for number in range(6):
                reader.value += 100.0
                if number in (2, 3):
                    # It fails over to another server, and back: no epoch that was remembered tells of the other.
                    reader.epoch, reader.value = ("second", 1e9) if number == 2 else ("first", 5e9)
                now[0] += 10.0
                await visits.turn()
                if number == dies_at:
                    # What was noted is that of the visit before: the last note was lost with its node.
                    visits = await _visits(node, source_id, now, remembered)
                remembered = visits.visits
            found = await samples_of(node, source_id, "toy.fast.count")
            assert set(rates(found)) == {10.0}
            kept = [value for _, value in found if value is not None]
            assert kept == [100.0, 200.0, 1e9, 5e9, 5e9 + 100, 5e9 + 200]

    asyncio.run(scenario())


def test_a_collector_that_takes_over_in_good_time_leaves_no_gap(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader = Counted()
        async with collecting(tmp_path, reader=reader) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True, statements=False)
            now = [node.now().timestamp()]
            reader.clock = lambda: now[0]
            first = await _visits(node, source_id, now)
            await first.turn()
            now[0] += 10.0
            second = await _visits(node, source_id, now, first.visits)
            await second.turn()
            found = await samples_of(node, source_id, "toy.fast.count")
            assert [value for _, value in found] == [None, 0.0, 0.0]

    asyncio.run(scenario())


def test_a_node_that_has_lost_its_lease_stores_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader = Counted()
        async with collecting(tmp_path, reader=reader) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True, statements=False)
            visits = await _visits(node, source_id, [node.now().timestamp()])
            await visits.turn(lambda: False)
            assert await node.parts.samples.series(source_id) == []

    asyncio.run(scenario())


def test_two_nodes_share_the_sources_and_one_takes_over_what_the_other_left(postgres_url: str) -> None:
    async def scenario() -> None:
        async with (
            collecting(postgres_url, node_id="a", reader=Counted()) as (one, first),
            collecting(postgres_url, node_id="b", reader=Counted()) as (other, _),
        ):
            later = [timedelta()]
            second = Collecting(other.parts, holder="b", now=lambda: other.now() + later[0])
            await make_lab(one)
            ids = [await make_source(one) for _ in range(3)]
            for source_id in ids:
                await set_collection(one, source_id, enabled=True, statements=False)
            # Alone it takes all; another one that joins gets its share.
            await first.look()
            assert first.source_ids == ids
            await second.look()
            assert second.source_ids == []
            both = one.parts.nodes.nodes() + other.parts.nodes.nodes()
            for node in (one, other):
                node.parts.nodes.nodes = lambda: both  # type: ignore[method-assign]
            await first.look()
            await second.look()
            assert (len(first.source_ids), len(second.source_ids)) == (2, 1)
            assert sorted(first.source_ids + second.source_ids) == ids
            for each in (first, second, first, second):
                await each.look()
                assert (len(first.source_ids), len(second.source_ids)) == (2, 1)
            # The first one dies: it neither keeps its leases nor ends them.
            for held in first._held.values():
                assert held.task is not None
                held.task.cancel()
            await second.look()
            assert len(second.source_ids) == 1
            later[0] = timedelta(seconds=LEASE_SECONDS + 1)
            await second.look()
            # What is beyond its share it takes once it sees that nobody else does.
            assert len(second.source_ids) == 2
            for _ in range(3):
                await second.look()
                assert second.source_ids == ids
            # Once it wakes up, it learns that they are another's.
            first._now = lambda: one.now() + later[0]
            await first._keep()
            assert first.source_ids == []
            await second._stop()

    asyncio.run(scenario())


def test_what_takes_too_long_is_a_failure_that_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    class Stuck(Counted):
        async def visit(self, level: Level) -> Any:
            await asyncio.Event().wait()

    async def scenario() -> None:
        monkeypatch.setattr(visiting, "VISIT_SECONDS", 0.05)
        async with collecting(tmp_path, reader=Stuck()) as (node, _):
            await make_lab(node)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True)
            visits = await _visits(node, source_id, [node.now().timestamp()])
            await visits.turn()
            assert visits.visits.error == "It did not answer within 0.05 s."
            assert [value for _, value in await samples_of(node, source_id, "up")] == [0.0]

    asyncio.run(scenario())


def test_sources_that_hang_put_off_no_other(tmp_path: Path) -> None:
    """More of them than there are visits at once."""

    class Hanging(Counted):
        async def visit(self, level: Level) -> Visit:
            self.visits.append((self.clock(), level))
            await asyncio.Event().wait()
            raise AssertionError

    async def scenario() -> None:
        hanging, well = Hanging(), Counted()
        async with collecting(tmp_path) as (node, service):

            async def opened(_kind: str, settings: Any) -> Any:
                return hanging if settings.database == "hangs" else well

            node.parts.sources.monitors._open_source = opened
            await make_lab(node)
            for _ in range(VISITS_AT_ONCE + 1):
                await set_collection(node, await make_source(node, settings={"database": "hangs"}), enabled=True)
            source_id = await make_source(node)
            await set_collection(node, source_id, enabled=True, statements=False)
            async with in_background(service.run()):
                await until(lambda: samples_of(node, source_id, "toy.fast.count"))
                assert len(hanging.visits) == VISITS_AT_ONCE + 1
                assert not await samples_of(node, 1, "up")  # it is still waited for

    asyncio.run(scenario())


def test_room_that_was_left_early_is_given_back_once() -> None:
    async def scenario() -> None:
        slots = VisitSlots(1, seconds=0.0)
        ends = asyncio.Event()

        async def long() -> None:
            async with slots.one():
                await ends.wait()

        async with in_background(long()) as waiting:
            async with asyncio.timeout(10), slots.one():
                ends.set()
                await waiting
                # There is room for one, and it is taken until that has left it, too.
                await asyncio.sleep(0)
            assert slots._free._value <= 1

    asyncio.run(scenario())
