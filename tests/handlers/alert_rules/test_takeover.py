"""Whoever evaluates may die at any moment, and nobody notices: the same transitions, once each."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alerting import Stepped, above, events, make_lab, make_rule, open_alerts, push, told
from gallows import Gallows, Killed
from http_node import START, Node, play, serving

from handlers.alert_rules.evaluation import LEASE_TIME, LeaseLost
from storage.data_sources import DataSource

Steps = list[tuple[float, dict[str, float]]]


def steps(seed: int) -> Steps:
    """Samples of three hosts each five seconds, with gaps."""
    rng = random.Random(seed)
    values = [rng.choice([10.0, 10.0, 95.0, 95.0, float("nan")]) for _ in range(3)]
    made: Steps = []
    for number in range(24):
        for host in range(3):
            if rng.random() < 0.3:
                values[host] = rng.choice([10.0, 95.0, 99.0, float("nan")])
        made.append((number * 5.0, {f"host{host}": values[host] for host in range(3) if rng.random() < 0.9}))
    return made


async def prepared(node: Node) -> DataSource:
    source = await make_lab(node)
    await make_rule(node, above(90), name="At once")
    await make_rule(node, above(90, for_seconds=10, keep_firing_for_seconds=7), name="After a while")
    return source


async def run(node: Node, source: DataSource, plan: Steps, evaluator: Stepped, gallows: Gallows | None = None) -> None:
    """Evaluates after each step; whoever is killed is followed by another one, at once."""
    for number, (at, values) in enumerate(plan):
        for host, value in values.items():
            await push(node, source, (at, value), host=host)
        if gallows is not None:
            gallows.left = random.Random(number).randrange(30)
        try:
            await evaluator.at(at + 2.5)
        except Killed:
            evaluator.restart()
            await evaluator.at(at + 2.5)
        finally:
            if gallows is not None:
                gallows.left = None


def of_each_alert(found: list[tuple[str, Any, dict[str, Any]]]) -> dict[tuple[str, str], list[Any]]:
    """What each alert went through, and when."""
    parts: dict[tuple[str, str], list[Any]] = {}
    for kind, at, alert in found:
        parts.setdefault((alert["name"], alert["labels"]["host"]), []).append((kind, at, alert["version"]))
    return parts


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_between_any_two_statements_it_does_what_it_would_have_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    async def evaluated(folder: Path, gallows: Gallows | None) -> dict[tuple[str, str], list[Any]]:
        async with serving(folder) as node:
            source = await prepared(node)
            await run(node, source, steps(seed), Stepped(node), gallows)
            return of_each_alert(await told(node))

    gallows = Gallows(monkeypatch)
    folders = tmp_path / "unkilled", tmp_path / "killed"
    for folder in folders:
        folder.mkdir()
    unkilled = asyncio.run(evaluated(folders[0], None))
    killed = asyncio.run(evaluated(folders[1], gallows))
    assert gallows.kills > 10
    assert len(unkilled) == 6
    assert killed == unkilled, f"seed {seed}"


def test_a_former_holder_writes_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90))
        former, present = Stepped(node), Stepped(node)
        await push(node, source, (0, 10), host="a")
        await former.at(0)
        evaluation = former.evaluator._evaluation
        assert evaluation is not None
        node.clock = START + LEASE_TIME + timedelta(seconds=1)
        await present.at(4)
        assert present.evaluator.is_evaluating
        await push(node, source, (5, 95), host="a")
        with pytest.raises(LeaseLost):
            await evaluation.turn()
        assert await events(node) == []
        await present.at(5.5)
        assert await events(node) == [("alert.fired", 5)]
        # It stands by from now on, and says nothing of it again.
        await former.at(6)
        assert not former.evaluator.is_evaluating
        assert await events(node) == [("alert.fired", 5)]

    play(tmp_path, scenario)


def test_a_rule_that_changed_meanwhile_is_not_alerted_of(tmp_path: Path) -> None:
    """The change has not been heard of yet when the evaluation is written."""

    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        rule = await make_rule(node, above(90))
        evaluator = Stepped(node)
        await push(node, source, (0, 10), host="a")
        await evaluator.at(0)
        changed = await node.client("ada").patch(f"/performance/alert-rules/{rule.id}", json={"enabled": False})
        assert changed.status_code == 200
        await push(node, source, (1, 95), host="a")
        node.clock = START + timedelta(seconds=1)
        await evaluator.evaluator.turn()
        await evaluator.at(2)
        assert await events(node) == []
        assert await open_alerts(node) == []

    play(tmp_path, scenario)
