"""Rules over stored samples become alerts: at the times of the samples, once each, whoever evaluates."""

from pathlib import Path
from typing import Any

import pytest
from alerting import Stepped, above, events, make_lab, make_rule, open_alerts, push
from http_node import Node, play

NAN = float("nan")


def test_a_threshold_that_is_crossed_fires_with_the_next_evaluation(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90))
        evaluator = Stepped(node)
        await push(node, source, (1, 50), host="a")
        await evaluator.at(1)
        assert await events(node) == []
        await push(node, source, (2, 95.5), host="a")
        await evaluator.at(2.1)
        assert await events(node) == [("alert.fired", 2)]
        (alert,) = await open_alerts(node)
        assert (alert.state, alert.value, alert.threshold, alert.severity) == ("firing", 95.5, 90, "high")
        assert alert.labels == {"host": "a"}
        assert alert.source_id == source.id
        assert alert.summary == "Busy: cpu is 95.5 (host=a)"
        assert alert.evidence["query"] == "cpu > 90"
        (measured,) = alert.evidence["measured"]
        assert [value for _, value in measured["points"]] == [50, 95.5]
        await push(node, source, (3, 80), host="a")
        await evaluator.at(3.1)
        assert await events(node) == [("alert.fired", 2), ("alert.resolved", 3)]

    play(tmp_path, scenario)


def test_each_label_set_is_an_alert_of_its_own(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90))
        evaluator = Stepped(node)
        await push(node, source, (1, 95), host="a")
        await push(node, source, (1, 96), host="b")
        await push(node, source, (1, 10), host="c")
        await evaluator.at(1)
        assert [alert.labels["host"] for alert in await open_alerts(node)] == ["a", "b"]

    play(tmp_path, scenario)


def test_for_is_counted_over_restarts(tmp_path: Path) -> None:
    """What fires does so when the condition has held for the time, whoever evaluated in between."""

    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90, for_seconds=60, keep_firing_for_seconds=30))
        evaluator = Stepped(node)
        for at in range(0, 120, 10):
            await push(node, source, (at, 95 if at < 80 else 10), host="a")
            evaluator.restart()
            await evaluator.at(at + 5)
        assert await events(node) == [("alert.pending", 0), ("alert.fired", 60), ("alert.resolved", 110)]

    play(tmp_path, scenario)


def test_nothing_is_resolved_while_there_is_no_data(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90, resolve_missing_after_seconds=600))
        evaluator = Stepped(node)
        await push(node, source, (0, 95), (10, NAN), host="a")
        await evaluator.at(11)
        for at in range(60, 600, 60):
            await evaluator.at(at)
        assert await events(node) == [("alert.fired", 0)]
        (alert,) = await open_alerts(node)
        assert alert.missing_since is not None
        await evaluator.at(613)
        assert await events(node) == [("alert.fired", 0), ("alert.resolved", 610)]

    play(tmp_path, scenario)


@pytest.mark.parametrize("restarts", [False, True])
def test_what_came_while_nobody_evaluated_is_judged_in_its_order(tmp_path: Path, restarts: bool) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90))
        evaluator = Stepped(node)
        await push(node, source, (0, 10), host="a")
        await evaluator.at(0)
        if restarts:
            evaluator.restart()
        for at, value in ((1, 95), (2, 10), (3, 99), (4, 98)):
            await push(node, source, (at, value), host="a")
        await evaluator.at(5)
        assert await events(node) == [("alert.fired", 1), ("alert.resolved", 2), ("alert.reopened", 3)]

    play(tmp_path, scenario)


def test_no_rule_no_lease(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90), enabled=False)
        evaluator = Stepped(node)
        await push(node, source, (0, 95), host="a")
        await evaluator.at(1)
        assert not evaluator.evaluator.is_evaluating
        assert await events(node) == []

    play(tmp_path, scenario)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_is_stored_while_the_past_of_a_new_series_is_read_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_restarted: bool
) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90))
        evaluator = Stepped(node)
        if not is_restarted:
            await evaluator.at(0)
        await push(node, source, (1, 50), host="a")
        read = node.parts.samples.read

        async def slowly(*arguments: Any) -> Any:
            monkeypatch.undo()
            await push(node, source, (2, 95), host="a")
            return await read(*arguments)

        monkeypatch.setattr(type(node.parts.samples), "read", lambda _, *arguments: slowly(*arguments))
        await evaluator.at(2.1)
        await evaluator.at(2.3)
        assert await events(node) == [("alert.fired", 2)]

    play(tmp_path, scenario)
