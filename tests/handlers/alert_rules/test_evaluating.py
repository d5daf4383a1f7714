"""Rules over stored samples become alerts: at the times of the samples, once each, whoever evaluates."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alerting import Stepped, above, events, make_lab, make_rule, make_source, open_alerts, push, told
from http_node import Node, play
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.alerting.engine import Engine
from analysis.alerting.specs import Absence, Composite, RuleSpec
from handlers.alert_rules import evaluation
from storage import leases

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


def test_what_fires_and_ended_while_nobody_looked_is_not_open_for_ever(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90, resolve_missing_after_seconds=600))
        evaluator = Stepped(node)
        await push(node, source, (0, 95), host="a")
        await evaluator.at(1)
        evaluator.stay_away()
        for at in range(3600, 3600 + 900 + 600 + 120, 60):
            await evaluator.at(at)
        # A quarter of an hour without data, and the time that the rule waits, from when somebody looked again.
        assert await events(node) == [("alert.fired", 0), ("alert.resolved", 3600 + 900 + 600)]

    play(tmp_path, scenario)


def test_a_server_that_was_away_cries_no_wolf(tmp_path: Path) -> None:
    """Whoever pushes gets no answer meanwhile: nothing is absent for that, and nothing held all that time."""

    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90, for_seconds=300))
        absent = RuleSpec(query=Absence(metric="cpu", window_seconds=180))
        await make_rule(node, absent, source_id=source.id, name="Absent")
        evaluator = Stepped(node)
        await push(node, source, (0, 95), (20, 95), host="a")
        await evaluator.at(21)
        evaluator.stay_away()
        await evaluator.at(600)
        await push(node, source, (610, 50), host="a")
        await evaluator.at(611)
        assert [kind for kind, _ in await events(node)] == ["alert.pending", "alert.resolved"]
        await evaluator.at(800)
        assert (await events(node))[2:] == [("alert.fired", 790)]

    play(tmp_path, scenario)


def test_a_series_that_ended_long_before_the_restart_is_without_data_yet(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90, no_data="alert"))
        evaluator = Stepped(node)
        await push(node, source, (0, 5), host="a")
        await evaluator.at(1)
        evaluator.stay_away()
        await evaluator.at(3600)
        assert await events(node) == []
        await evaluator.at(3600 + 903)
        assert await events(node) == [("alert.fired", 3600 + 900)]

    play(tmp_path, scenario)


def test_alerts_of_a_source_that_is_deleted_are_over(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source, other = await make_lab(node), await make_source(node, "other")
        await make_rule(node, above(90))
        evaluator = Stepped(node)
        await push(node, source, (0, 95), host="a")
        await push(node, other, (0, 95), host="a")
        await evaluator.at(1)
        assert (await node.client("ada").delete(f"/data-sources/{source.id}")).status_code == 204
        await evaluator.at(30)
        (still,) = await open_alerts(node)
        assert still.source_id == other.id
        (over,) = [alert for kind, _, alert in await told(node) if kind == "alert.resolved"]
        assert over["resolved_reason"] == "The data source was deleted."

    play(tmp_path, scenario)


def test_a_long_evaluation_keeps_the_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two nodes take it from each other for ever, and neither ever writes what it found."""

    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        await make_rule(node, above(90, function="avg", window_seconds=7200))
        evaluator = Stepped(node)
        await push(node, source, (0, 5), host="a")
        await evaluator.at(1)
        kept, take, keep_lease = threading.Event(), Engine.take, leases.keep

        def slow(self: Engine, *samples: Any, **how: Any) -> Any:
            assert kept.wait(10), "nobody kept the lease meanwhile"
            return take(self, *samples, **how)

        async def keep(connection: AsyncConnection, lease: leases.Lease, *, until: datetime) -> bool:
            kept.set()
            return await keep_lease(connection, lease, until=until)

        monkeypatch.setattr(Engine, "take", slow)
        monkeypatch.setattr(leases, "keep", keep)
        await push(node, source, (2, 500), host="a")
        await evaluator.at(2)
        assert await events(node) == [("alert.fired", 2)]

    monkeypatch.setattr(evaluation, "RENEW_TIME", timedelta(seconds=0.01))
    play(tmp_path, scenario)


def test_changes_that_make_up_for_each_other_are_changes(tmp_path: Path) -> None:
    """As many rules as before, of as many versions: but others."""

    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        first = await make_rule(node, above(90))
        second = await make_rule(node, above(80), enabled=False)
        await make_rule(node, above(1000))
        ada, evaluator = node.client("ada"), Stepped(node)
        await ada.patch(f"/performance/alert-rules/{first.id}", json={"runbook": None})
        await push(node, source, (0, 5), host="a")
        await evaluator.at(1)
        await ada.patch(f"/performance/alert-rules/{first.id}", json={"enabled": False})
        await ada.patch(f"/performance/alert-rules/{second.id}", json={"enabled": True})
        await evaluator.at(3)
        await push(node, source, (5, 85), host="a")
        await evaluator.at(5.1)
        assert await events(node) == [("alert.fired", 5)]

    play(tmp_path, scenario)


def test_a_rule_over_rules_is_over_when_they_are_disabled(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        busy = await make_rule(node, above(90))
        query = Composite(rules={"busy": busy.id}, condition="busy.firing")
        await make_rule(node, RuleSpec(query=query), name="Both")
        evaluator = Stepped(node)
        await push(node, source, (50, 95), host="a")
        await evaluator.at(51)
        assert len(await open_alerts(node)) == 2
        await node.client("ada").patch(f"/performance/alert-rules/{busy.id}", json={"enabled": False})
        await evaluator.at(60)
        assert await open_alerts(node) == []

    play(tmp_path, scenario)
