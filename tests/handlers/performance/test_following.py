"""Measurements that are watched: what a panel has, after any points, is what the same question is answered."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from collab_studio.answer_frames import continued
from http_node import Node, play
from stored_measurements import GAP, columns_of, key, make_source, ms, store

from handlers.access import Role
from handlers.changes import EVERYTHING
from handlers.performance.following import FollowedMetrics
from handlers.performance.metrics import get_metrics
from handlers.performance.points import points_between
from handlers.performance.questions import GetMetrics
from storage.data_sources import DataSource
from storage.samples.columns import Samples, Series
from storage.samples.store import SampleStore

SERIES = [
    key("load", host="a"),
    key("load", host="b"),
    key("commits", "counter", database="x"),
    key("commits", "counter", database="y"),
    key("size", unit="By"),
]


def plain(answer: Any) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    return made


class Panel:
    """What somebody has who was given an answer, and then points."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.whole = self.points = 0

    def take(self, after: dict[str, Any], before: dict[str, Any] | None) -> None:
        points = points_between(before, after) if before is not None else None
        if points is None:
            self.answer, self.whole = after, self.whole + 1
        elif points:
            assert self.answer is not None
            self.answer, self.points = continued(self.answer, points), self.points + 1


def told(answer: dict[str, Any] | None) -> dict[str, Any]:
    """But for when it was made, which alone is no change."""
    assert answer is not None
    return {name: value for name, value in answer.items() if name not in ("as_of", "start", "end")}


def some_samples(rng: random.Random, node: Node) -> dict[Any, list[tuple[int, float]]]:
    """Some of now, some late, some again, some markers."""
    samples: dict[Any, list[tuple[int, float]]] = {}
    for series in rng.sample(SERIES, rng.randint(0, len(SERIES))):
        at = ms(node.clock) - rng.choice([0, 0, 0, 500, 7_000, 45_000, 400_000, 1_500_000])
        value = GAP if rng.random() < 0.1 else float(rng.randint(0, 1_000))
        samples[series] = [(at, value)]
    return samples


QUESTIONS: list[dict[str, Any]] = [
    {"time_range": "10m", "step": "10s"},
    {"time_range": "30m", "metrics": ["load", "commits"], "aggregate": "sum", "step": "15s"},
    {"time_range": "1h", "metrics": ["commits"], "group_by": ["database"], "step": "1m", "missing": "skip"},
    {"time_range": "10m", "max_points": 20, "downsample": "lttb"},
    {"time_range": "1h", "metrics": ['*{host="a"}'], "step": "30s", "compare": "previous"},
    {"time_range": "6h", "aggregate": "last", "metrics": ["load", "size"]},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: "-".join(map(str, question.values())))
def test_answers_and_points_are_what_asking_again_says(sqlite_url: str, question: dict[str, Any]) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", vera=Role.VIEWER)
        source = await make_source(node)
        request = GetMetrics(data_source_id=source.id, **question)
        followed, panel = FollowedMetrics(request), Panel()
        before: dict[str, Any] | None = None
        for _ in range(25):
            node.clock += timedelta(seconds=rng.choice([0.25, 1, 5, 10, 31]))
            for _ in range(rng.randint(0, 2)):
                samples = some_samples(rng, node)
                if samples:
                    await store(node, source, samples)
            # Words are said four times a second; here time does not pass.
            node.parts.tails.hear(EVERYTHING)
            context = node.context("vera")
            after = plain(await followed.answer(context))
            panel.take(after, before)
            before = after
            assert told(panel.answer) == told(plain(await get_metrics(context, request)))
        assert panel.points > panel.whole

    play(sqlite_url, scenario)


async def _followed(node: Node, source: DataSource, **question: Any) -> tuple[FollowedMetrics, GetMetrics]:
    request = GetMetrics(data_source_id=source.id, **question)
    return FollowedMetrics(request), request


class Interrupted(SampleStore):
    """A store to which somebody appends each time after samples were read, before whoever read them goes on."""

    def __init__(self, node: Node, source: DataSource) -> None:
        super().__init__(node.parts.database, node.now)
        self._source = source
        self._at = ms(node.clock) - 50_000

    async def read(self, series: Sequence[Series], start_ms: int, end_ms: int) -> dict[int, Samples]:
        found = await super().read(series, start_ms, end_ms)
        self._at += 1_000
        await self.append(self._source.id, columns_of({SERIES[0]: [(self._at, 1.0)]}))
        return found


def test_what_is_stored_while_an_answer_is_made_is_in_it_or_in_the_next(sqlite_url: str) -> None:
    """There is no hole between the range that was read and the samples that are followed."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", vera=Role.VIEWER)
        source = await make_source(node)
        await store(node, source, {SERIES[0]: [(ms(node.clock) - 55_000, 0.0)]})
        followed, request = await _followed(node, source, time_range="1m", step="1s")
        context = node.context("vera")
        parts = dataclasses.replace(node.parts, samples=Interrupted(node, source))
        for _ in range(5):
            await followed.answer(dataclasses.replace(context, parts=parts))
            node.parts.tails.hear(EVERYTHING)
        assert plain(await followed.answer(context)) == plain(await get_metrics(context, request))

    play(sqlite_url, scenario)


def test_what_another_node_stores_is_seen_without_its_word(sqlite_url: str) -> None:
    """Words say only when to look. Whoever looks has all, however it came."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", vera=Role.VIEWER)
        source = await make_source(node)
        followed, request = await _followed(node, source, time_range="1m", step="10s")
        await store(node, source, {SERIES[0]: [(ms(node.clock) - 30_000, 1.0)]})
        context = node.context("vera")
        await followed.answer(context)
        await node.parts.samples.append(source.id, columns_of({SERIES[0]: [(ms(node.clock) - 10_000, 5.0)]}))
        node.parts.tails.hear(EVERYTHING)
        assert plain(await followed.answer(context)) == plain(await get_metrics(context, request))

    play(sqlite_url, scenario)


def test_an_answer_that_nothing_changed_is_no_message(sqlite_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", vera=Role.VIEWER)
        source = await make_source(node)
        followed, _ = await _followed(node, source, time_range="1h")
        await store(node, source, {SERIES[0]: [(ms(node.clock) - 30_000, 1.0)]})
        context = node.context("vera")
        node.clock += timedelta(seconds=1)
        before = plain(await followed.answer(context))
        node.clock += timedelta(seconds=1)
        after = plain(await followed.answer(context))
        assert before["as_of"] != after["as_of"]
        assert points_between(before, after) == {}

    play(sqlite_url, scenario)


def test_a_new_point_of_many_series_is_a_small_message(sqlite_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", vera=Role.VIEWER)
        source = await make_source(node)
        many = [key("load", host=f"host-{i}") for i in range(100)]
        now = ms(node.clock)
        for first in range(0, 100, 25):
            some = many[first : first + 25]
            await store(node, source, {each: [(now - i * 10_000, float(i % 7)) for i in range(300)] for each in some})
        followed, _ = await _followed(node, source, time_range="50m", step="10s")
        context = node.context("vera")
        before = plain(await followed.answer(context))
        node.clock += timedelta(seconds=10)
        await store(node, source, {each: [(now + 9_000, 3.5)] for each in many})
        node.parts.tails.hear(EVERYTHING)
        points = points_between(before, plain(await followed.answer(context)))
        assert points is not None
        assert len(points["times"]) <= 2
        assert 40 * len(msgspec.msgpack.encode(points)) < len(msgspec.msgpack.encode(before))

    play(sqlite_url, scenario)
