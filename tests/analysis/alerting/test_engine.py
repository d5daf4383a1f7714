"""Rules of every kind over samples that are handed in: what happens, at which times, and what does not."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.alerting.engine import Engine
from analysis.alerting.plans import Happened
from analysis.alerting.rules import Rule
from analysis.alerting.specs import (
    Absence,
    Anomaly,
    BurnRate,
    BurnWindow,
    Composite,
    Counter,
    Matcher,
    Query,
    RateOfChange,
    Ratio,
    RuleSpec,
    Selector,
    Threshold,
)
from analysis.alerting.states import Instance, Phase
from analysis.alerting.wording import summary_of

NAN = float("nan")
SOURCE = 7
Rows = list[tuple[int, float, float]]


class Bench:
    """An engine over one source. Times are seconds."""

    def __init__(self, *rules: Rule) -> None:
        self.engine = Engine()
        self.found: list[Happened] = []
        for rule in rules:
            self.engine.add(rule, SOURCE)
        self.ids: dict[str, int] = {}

    def series(self, metric: str, *, is_counter: bool = False, **labels: str) -> int:
        number = len(self.ids) + 1
        self.ids[f"{metric}{labels}"] = number
        self.engine.add_series(SOURCE, number, metric, tuple(sorted(labels.items())), is_counter=is_counter)
        return number

    def take(self, *rows: tuple[int, float, float]) -> list[tuple[str, float]]:
        """Samples: series, time, value. What happened, but for what is only remembered."""
        ids, times, values = zip(*rows, strict=True)
        at_ms = np.array([round(at * 1000) for at in times], dtype=np.int64)
        return self.said(self.engine.take(np.array(ids, dtype=np.int64), at_ms, np.array(values, dtype=np.float64)))

    def clock(self, at: float) -> list[tuple[str, float]]:
        return self.said(self.engine.advance(round(at * 1000)))

    def said(self, happened: list[Happened]) -> list[tuple[str, float]]:
        self.found += happened
        return [
            (str(one.transition.kind), one.transition.at / 1000)
            for one in happened
            if one.transition.kind != "remembered"
        ]


def rule(query: Query, number: int = 1, **spec: Any) -> Rule:
    return Rule(id=number, name="Rule", severity="high", spec=RuleSpec(query=query, **spec))


def over(threshold: float, **how: Any) -> Threshold:
    compared = {name: how.pop(name) for name in ("resolve_threshold", "condition") if name in how}
    return Threshold(selector=Selector(metric="cpu", **how), op=">", threshold=threshold, **compared)


VALUES = st.sampled_from([10.0, 85.0, 95.0, NAN])
ROWS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 60), VALUES), min_size=1, max_size=60)


@given(ROWS, st.integers(1, 8), st.sampled_from([0.0, 5.0]), st.sampled_from([None, 80.0]))
def test_all_comparisons_at_once_say_what_each_would(
    rows: Rows, parts: int, hold: float, resolve: float | None
) -> None:
    """A rule that is compared with all others, and one that says the same in CEL and is judged alone."""
    plain = rule(over(90, resolve_threshold=resolve), for_seconds=hold)
    alone = rule(over(90, resolve_threshold=resolve, condition="value > 0.0"), for_seconds=hold)
    said = []
    for each in (plain, alone):
        bench = Bench(each)
        for number in range(4):
            bench.series("cpu", host=str(number))
        ordered = sorted(rows, key=lambda row: row[1])
        size = max(1, len(rows) // parts)
        for start in range(0, len(rows), size):
            bench.take(*ordered[start : start + size])
        bench.clock(200)
        found = [(one.labels, str(one.transition.kind), one.transition.at) for one in bench.found]
        said.append(sorted(found, key=lambda each: (each[0], each[2])))
    assert said[0] == said[1]


def test_hysteresis_keeps_what_fires_until_it_is_well_below() -> None:
    bench = Bench(rule(over(90, resolve_threshold=80)))
    cpu = bench.series("cpu")
    assert bench.take((cpu, 0, 85)) == []
    assert bench.take((cpu, 1, 91), (cpu, 2, 85), (cpu, 3, 81)) == [("fired", 1)]
    assert bench.take((cpu, 4, 80)) == [("resolved", 4)]


@pytest.mark.parametrize(
    ("function", "value"),
    [("avg", 20.0), ("min", 10.0), ("max", 30.0), ("sum", 60.0), ("count", 3.0), ("p50", 20.0), ("last", 30.0)],
)
def test_functions_of_a_window(function: Any, value: float) -> None:
    bench = Bench(rule(over(-1, function=function, window_seconds=25)))
    cpu = bench.series("cpu")
    bench.take((cpu, 0, 1000), (cpu, 10, 10), (cpu, 20, 20), (cpu, 30, 30))
    plan = bench.engine.plans[1, SOURCE]
    assert plan.now((), 30_000).value == value


@pytest.mark.parametrize("function", ["last", "max"])
def test_what_is_old_is_not_known(function: Any) -> None:
    bench = Bench(rule(over(90, function=function, window_seconds=3600)))
    bench.take((bench.series("cpu"), 0, 95))
    plan = bench.engine.plans[1, SOURCE]
    assert plan.now((), 899_999).value == 95
    assert plan.now((), 900_000).value is None


def test_a_rate_goes_over_no_gap_and_no_reset() -> None:
    bench = Bench(rule(over(1e9, function="rate", window_seconds=100)))
    requests = bench.series("cpu", is_counter=True)
    bench.take((requests, 0, 0), (requests, 10, 100), (requests, 20, 10), (requests, 30, 110), (requests, 40, NAN))
    plan = bench.engine.plans[1, SOURCE]
    assert plan.now((), 30_000).value == 10
    assert plan.now((), 40_000).value is None
    bench.take((requests, 50, 5000))
    assert plan.now((), 50_000).value == 10
    bench.take((requests, 60, 5100))
    assert plan.now((), 60_000).value == 10


@pytest.mark.parametrize("function", ["last", "avg", "max", "rate", "increase"])
def test_a_gap_fires_no_threshold(function: Any) -> None:
    """Neither the marker, nor what comes after it."""
    bench = Bench(rule(over(90, function=function, window_seconds=60)))
    cpu = bench.series("cpu", is_counter=True)
    calm = [(cpu, float(at), 10.0 + at / 10) for at in range(0, 60, 10)]
    after = [(cpu, float(at), 50_000.0 if function in ("rate", "increase") else 10.0) for at in range(70, 130, 10)]
    assert bench.take(*calm, (cpu, 60, NAN), *after) == []


def test_a_sum_over_series_is_not_less_because_one_is_missing() -> None:
    bench = Bench(rule(over(150, group_by=("region",), combine="sum")))
    one, other = bench.series("cpu", region="a", host="1"), bench.series("cpu", region="a", host="2")
    assert bench.take((one, 0, 80), (other, 0, 80)) == [("fired", 0)]
    assert bench.take((one, 10, NAN), (other, 10, 80)) == []
    assert bench.take((one, 20, 80), (other, 20, 60)) == [("resolved", 20)]


def test_conditions_see_labels_and_what_was_before() -> None:
    query = Threshold(
        selector=Selector(metric="cpu"), condition="labels.mode != 'idle' && previous != null && value > previous * 2.0"
    )
    bench = Bench(rule(query))
    idle, user = bench.series("cpu", mode="idle"), bench.series("cpu", mode="user")
    assert bench.take((idle, 0, 1), (user, 0, 1), (idle, 10, 9), (user, 10, 9)) == [("fired", 10)]
    assert bench.found[0].labels == (("mode", "user"),)


@pytest.mark.parametrize(("policy", "kinds"), [("keep_last", []), ("ok", []), ("alert", [("fired", 0)])])
def test_a_condition_that_cannot_be_computed_is_as_the_rule_says(policy: Any, kinds: list[Any]) -> None:
    query = Threshold(selector=Selector(metric="cpu"), condition="labels.nothing == 'x'")
    bench = Bench(rule(query, on_error=policy))
    assert bench.take((bench.series("cpu"), 0, 1)) == kinds
    assert bench.engine.plans[1, SOURCE].error is not None


@pytest.mark.parametrize(("policy", "kinds"), [("keep_last", []), ("ok", [("resolved", 910)]), ("alert", [])])
def test_no_data_is_as_the_rule_says(policy: Any, kinds: list[Any]) -> None:
    bench = Bench(rule(over(90), no_data=policy, resolve_missing_after_seconds=None))
    assert bench.take((bench.series("cpu"), 10, 95)) == [("fired", 10)]
    assert bench.clock(10_000) == kinds


def test_a_series_that_ends_alerts_where_no_data_does() -> None:
    bench = Bench(rule(over(90), no_data="alert"))
    assert bench.take((bench.series("cpu"), 10, 5)) == []
    assert bench.clock(911) == []
    assert bench.clock(912) == [("fired", 910)]


def test_absence_is_told_by_the_clock_and_ends_with_a_sample() -> None:
    bench = Bench(replace(rule(Absence(metric="cpu", window_seconds=60)), source_id=SOURCE))
    assert bench.clock(61) == []
    assert bench.clock(62) == [("fired", 60)]
    cpu = bench.series("cpu", host="a")
    assert bench.take((cpu, 70, 1)) == [("resolved", 70)]
    assert bench.take((cpu, 100, NAN), (cpu, 120, 1)) == []
    assert bench.take((cpu, 200, 1)) == [("fired", 180), ("resolved", 200)]


def test_absence_over_all_sources_is_of_those_that_have_the_metric() -> None:
    bench = Bench(rule(Absence(metric="cpu", window_seconds=60)))
    assert bench.clock(1000) == []
    one = bench.series("cpu", host="a")
    assert bench.take((one, 1000, 5)) == []
    assert bench.clock(1062) == [("fired", 1060)]


def test_what_nobody_looked_at_is_no_evidence() -> None:
    """Neither is what was not heard absent, nor did what was pending hold."""
    absent = replace(rule(Absence(metric="cpu", window_seconds=60), 2), source_id=SOURCE)
    silent = rule(over(1000), 3, no_data="alert")
    bench = Bench(rule(over(90), for_seconds=100), absent, silent)
    one = bench.series("cpu", host="a")
    assert bench.take((one, 0, 95)) == [("pending", 0)]
    assert bench.said(bench.engine.resume(30_000, 2_000_000)) == [("dropped", 30)]
    assert bench.clock(2001) == []
    assert bench.take((one, 2010, 50)) == []
    assert bench.clock(2072) == [("fired", 2070)]  # the absence
    assert bench.clock(2912) == [("fired", 2910)]  # no data


def test_absence_of_each_group() -> None:
    bench = Bench(rule(Absence(metric="cpu", window_seconds=60, group_by=("host",))))
    one, other = bench.series("cpu", host="a"), bench.series("cpu", host="b")
    bench.take((one, 0, 1), (other, 0, 1), (other, 50, 1))
    assert bench.clock(70) == [("fired", 60)]
    assert bench.found[-1].labels == (("host", "a"),)


def test_rate_of_change_needs_a_window_that_was_measured() -> None:
    query = RateOfChange(metric="cpu", window_seconds=100, change="percent", op=">", threshold=20)
    bench = Bench(rule(query))
    cpu = bench.series("cpu")
    assert bench.take((cpu, 0, 100), (cpu, 10, 150)) == []
    assert bench.take((cpu, 60, 119)) == []
    assert bench.take((cpu, 100, 121)) == [("fired", 100)]
    assert bench.take((cpu, 110, NAN), (cpu, 120, 500), (cpu, 160, 500)) == []


def test_a_ratio_of_few_is_no_ratio() -> None:
    def risen(metric: str) -> Selector:
        return Selector(metric=metric, function="increase", window_seconds=60, group_by=())

    query = Ratio(numerator=risen("errors"), denominator=risen("requests"), min_denominator=100, op=">", threshold=0.1)
    bench = Bench(rule(query))
    errors, requests = bench.series("errors", is_counter=True), bench.series("requests", is_counter=True)
    assert bench.take((errors, 0, 0), (requests, 0, 0), (errors, 10, 5), (requests, 10, 10)) == []
    assert bench.take((errors, 20, 30), (requests, 20, 200)) == [("fired", 20)]


def test_a_budget_that_burns_in_both_windows() -> None:
    query = BurnRate(
        bad=Counter(metric="errors"),
        total=Counter(metric="requests"),
        objective=0.99,
        windows=(BurnWindow(long_seconds=600, short_seconds=60, factor=10),),
        min_events=100,
    )
    bench = Bench(rule(query))
    errors, requests = bench.series("errors", is_counter=True), bench.series("requests", is_counter=True)
    bad = total = 0.0
    found = []
    for at in range(0, 1200, 10):
        bad, total = bad + (50 if 300 <= at < 600 else 0), total + 100
        found += bench.take((errors, at, bad), (requests, at, total))
    # A tenth of all in ten minutes is ten times the budget; it ends with the short window.
    assert [kind for kind, _ in found] == ["fired", "resolved"]
    assert found[0][1] == pytest.approx(360, abs=30)
    assert 600 < found[1][1] <= 660


def test_one_error_is_no_fire() -> None:
    """Of an objective of 99.9 % a single bad one of ten is a hundred times the pace, and of nothing."""
    query = BurnRate(bad=Counter(metric="errors"), total=Counter(metric="requests"), objective=0.999)
    bench = Bench(rule(query))
    errors, requests = bench.series("errors", is_counter=True), bench.series("requests", is_counter=True)
    for minute in range(30):
        assert bench.take((errors, minute * 60, minute > 20), (requests, minute * 60, minute)) == []
    bench.take((errors, 1800, 1), (requests, 1800, 60))
    assert bench.take((errors, 1860, 40), (requests, 1860, 160)) == [("fired", 1860)]


def test_groups_learn_their_bands_at_times_of_their_own() -> None:
    """Else a thousand of them stop everything for half a minute at each full hour."""
    bench = Bench(rule(Anomaly(metric="cpu", history_seconds=3600)))
    hosts = [bench.series("cpu", host=f"h{number}") for number in range(20)]
    learned: dict[int, set[int]] = {}
    for at in range(0, 7200, 120):
        bench.take(*[(host, at, 50.0 + host) for host in hosts])
        for host, group in zip(hosts, next(iter(bench.engine.plans.values())).groups.values(), strict=True):
            learned.setdefault(host, set()).add(group.kept.hour % 3_600_000)
    assert {len(each) for each in learned.values()} == {1}
    assert len(set.union(*learned.values())) == len(hosts)


def test_an_anomaly_is_outside_of_what_its_past_makes_likely() -> None:
    rng = random.Random(5)
    bench = Bench(rule(Anomaly(metric="cpu", history_seconds=3600)))
    cpu = bench.series("cpu")
    calm = [(cpu, at, rng.gauss(50, 2)) for at in range(0, 9000, 10)]
    assert bench.take(*[(each, float(at), value) for each, at, value in calm]) == []
    assert bench.take((cpu, 9000.0, 90)) == [("fired", 9000)]
    judgement = bench.found[-1].judgement
    assert judgement.expected == pytest.approx(50, abs=3)
    said = summary_of(bench.found[-1].plan.rule.spec, "Odd", "low", {}, judgement)
    assert said.startswith(f"Odd: cpu is 90, where {judgement.expected:.6g} is expected and the band ends at ")
    assert bench.take((cpu, 9010.0, 50)) == [("resolved", 9010)]


def test_a_rule_over_rules() -> None:
    errors = rule(Threshold(selector=Selector(metric="errors"), op=">", threshold=5), 1)
    deploy = rule(Threshold(selector=Selector(metric="deploy"), op=">", threshold=0), 2)
    both = rule(Composite(rules={"errors": 1, "deploy": 2}, condition="errors.firing && !deploy.firing"), 3)
    bench = Bench(errors, deploy, both)
    one, other = bench.series("errors"), bench.series("deploy")
    bench.take((other, 0, 1), (one, 10, 9))
    assert (3, SOURCE) not in {one.plan.key for one in bench.found}
    bench.take((other, 20, 0))
    composed = [one for one in bench.found if one.plan.rule.id == 3]
    assert [(str(one.transition.kind), one.transition.at, one.judgement.value) for one in composed] == [
        ("fired", 20_000, 9)
    ]


def test_a_rule_over_rules_that_is_new_sees_what_fires_already() -> None:
    errors = rule(Threshold(selector=Selector(metric="errors"), op=">", threshold=5), 1)
    bench = Bench(errors, rule(Composite(rules={"errors": 1}, condition="errors.firing"), 3))
    bench.series("errors")
    bench.engine.plans[1, SOURCE].restore((), Instance(Phase.FIRING, 1_000, 1_000, seen_at=1_000), 9.0)
    found = bench.engine.look_at_newest(bench.engine.plans.values(), 0)
    assert [(one.plan.rule.id, str(one.transition.kind), one.transition.at) for one in found] == [(3, "fired", 1_000)]
    assert bench.engine.look_at_newest(bench.engine.plans.values(), 0) == []


def test_labels_choose_series() -> None:
    matchers = (Matcher(label="mode", op="=~", value="us.*"), Matcher(label="host", op="!=", value="b"))
    bench = Bench(rule(over(90, labels=matchers)))
    taken = bench.series("cpu", mode="user", host="a")
    others = [bench.series("cpu", mode="idle", host="a"), bench.series("cpu", mode="user", host="b")]
    assert bench.take((taken, 0, 95), *[(each, 0, 95) for each in others]) == [("fired", 0)]


def test_late_and_repeated_samples_change_nothing() -> None:
    bench = Bench(rule(over(90)))
    cpu = bench.series("cpu")
    assert bench.take((cpu, 10, 95), (cpu, 20, 10)) == [("fired", 10), ("resolved", 20)]
    assert bench.take((cpu, 10, 95), (cpu, 15, 99), (cpu, 20, 10)) == []


def test_specs_are_read_back_as_they_were_written() -> None:
    spec = RuleSpec(query=over(90, group_by=("host",)), for_seconds=60)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=RuleSpec) == spec
