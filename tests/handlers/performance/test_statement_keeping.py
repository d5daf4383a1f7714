"""Statements of a source, kept by the minute: texts once, plans seldom, minutes put together to hours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from collecting_nodes import Counted, collecting
from statement_snapshots import snapshot

from connectors.errors import SourceLost, StatementFailed
from connectors.performance.figures import StatementPlan, StatementSnapshot, StatementText, Unsupported
from handlers.performance import statement_keeping
from handlers.performance.statement_keeping import HOUR_MS, KEEP, MINUTES_FOR_MS, StatementKeeper
from handlers.performance.statement_windows import decoded
from storage import statements

MINUTE_MS = 60_000


class Executing(Counted):
    """A source with statements that take a second a call."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms = 0
        self.calls: dict[str, float] = {}
        self.asked_texts: list[str] = []
        self.planned: list[str] = []
        self.fails: Exception | None = None

    async def statements(self) -> StatementSnapshot | Unsupported:
        if self.fails is not None:
            raise self.fails
        return snapshot(self.at_ms, {key: (count, count, count) for key, count in self.calls.items()})

    async def statement_texts(self, keys: Sequence[str]) -> dict[str, StatementText]:
        self.asked_texts += keys
        return {key: StatementText(f"SELECT '{key}'", "SELECT ?") for key in keys if key != "forgotten"}

    async def plan(self, key: str) -> StatementPlan | Unsupported:
        self.planned.append(key)
        if key == "odd":
            raise StatementFailed("it cannot be planned")
        return StatementPlan("shape", {"Node Type": "Scan"}, 1.0)


async def windows_of(node: Any, source_id: int = 1) -> list[tuple[int, int, dict[str, float]]]:
    async with node.parts.database.read() as connection:
        rows = await statements.windows(connection, source_id, 0, 2**53)
    return [
        (one.start_ms, one.end_ms, dict(zip(one.keys, one.counters[:, 0].tolist(), strict=True)))
        for one in decoded(rows)
    ]


def test_texts_are_asked_for_once_and_plans_once_an_hour(tmp_path: Path) -> None:
    async def scenario() -> None:
        now = [1_800_000_000.0]
        async with collecting(tmp_path) as (node, _):
            source = Executing()
            keeper = StatementKeeper(node.parts.database, 1, 10, now=lambda: now[0])
            for minute in range(70):
                source.at_ms = int(now[0] * 1000)
                source.calls = {"a": float(2 * minute), "odd": float(minute), "idle": 5.0, "forgotten": float(minute)}
                assert await keeper.look(source, with_plans=True) is None
                now[0] += 60
            assert sorted(set(source.asked_texts)) == ["a", "forgotten", "odd"]
            assert source.asked_texts.count("a") == 1
            # Seen in the second minute, and again an hour later; one that cannot be planned takes nothing else along.
            assert sorted(source.planned) == sorted(["a", "odd", "forgotten"] * 2)
            assert (await windows_of(node))[0][2] == {"a": 2, "odd": 1, "forgotten": 1}
            async with node.parts.database.read() as connection:
                assert set(await statements.texts(connection, 1, ["a", "odd", "idle"])) == {"a", "odd"}

    asyncio.run(scenario())


def test_minutes_are_put_together_to_hours_and_go_after_a_fortnight(tmp_path: Path) -> None:
    async def scenario() -> None:
        start_ms = 1_800_000_000_000 // HOUR_MS * HOUR_MS
        async with collecting(tmp_path) as (node, _):
            source = Executing()
            keeper = StatementKeeper(node.parts.database, 1, 2)
            for minute in range(121):
                source.at_ms = start_ms + minute * MINUTE_MS
                source.calls = {"a": 3.0 * minute, "b": 2.0 * minute, "c": 1.0 * minute}
                await keeper.look(source)
            assert len(await windows_of(node)) == 120
            for hours, expected in ((1, 61), (2, 2)):
                # A collector that begins later tidies up what was left.
                later = Executing()
                later.at_ms = start_ms + MINUTES_FOR_MS + hours * HOUR_MS
                await StatementKeeper(node.parts.database, 1, 2).look(later)
                assert len(await windows_of(node)) == expected
            found = await windows_of(node)
            assert [(begin - start_ms, end - start_ms) for begin, end, _ in found] == [
                (0, HOUR_MS), (HOUR_MS, 2 * HOUR_MS),
            ]  # fmt: skip
            assert [calls for _, _, calls in found] == [{"a": 180, "b": 120}] * 2
            last = Executing()
            last.at_ms = start_ms + int(KEEP.total_seconds() * 1000) + HOUR_MS
            await StatementKeeper(node.parts.database, 1, 2).look(last)
            assert [begin - start_ms for begin, _, _ in await windows_of(node)] == [HOUR_MS]

    asyncio.run(scenario())


def test_a_look_that_failed_or_came_too_late(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with collecting(tmp_path) as (node, _):
            source = Executing()
            keeper = StatementKeeper(node.parts.database, 1, 10)
            start_ms = 1_800_000_000_000
            source.at_ms, source.calls = start_ms, {"a": 10.0}
            await keeper.look(source)
            source.fails = SourceLost("the connection broke")
            source.at_ms += MINUTE_MS
            with pytest.raises(SourceLost):
                await keeper.look(source)
            source.fails = None
            source.at_ms, source.calls = start_ms + 2 * MINUTE_MS, {"a": 14.0}
            await keeper.look(source)
            # What happened meanwhile is in the stretch that covers it.
            assert await windows_of(node) == [(start_ms, start_ms + 2 * MINUTE_MS, {"a": 4})]
            source.at_ms += statement_keeping.LONGEST_WINDOW_MS + MINUTE_MS
            source.calls = {"a": 99.0}
            await keeper.look(source)
            assert len(await windows_of(node)) == 1

    asyncio.run(scenario())
