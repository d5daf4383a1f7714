"""Burn rates are those of a plain reckoning over the samples; gaps and resets are no errors; one error is no alert."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.monitoring.burn_rate import DAY_MS, HOUR_MS, BurnWindow, Objective, Outcomes, budget_at, burn_at, burning

MINUTE_MS = 60_000


def plainly(
    at: Sequence[int], bad: Sequence[float], total: Sequence[float], now: int, window: int
) -> tuple[float, float]:
    """(bad, total) sample by sample, as the documentation says it."""
    bad_sum = total_sum = 0.0
    for place in range(1, len(at)):
        if not now - window < at[place] <= now:
            continue
        new_bad, new_total = bad[place] - bad[place - 1], total[place] - total[place - 1]
        if new_bad >= 0 and new_total >= 0:
            bad_sum += min(new_bad, new_total)
            total_sum += new_total
    return bad_sum, total_sum


counts = st.one_of(st.integers(0, 50).map(float), st.just(float("nan")))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 900), counts, counts), min_size=1, max_size=40), st.data())
def test_as_a_plain_reckoning(steps: list[tuple[int, float, float]], data: st.DataObject) -> None:
    """Any counters, with resets (they fall) and gaps (NaN)."""
    at = np.cumsum([step for step, _, _ in steps]) * 1000
    bad, total = np.array([one for _, one, _ in steps]), np.array([one for _, _, one in steps])
    now = int(data.draw(st.integers(0, int(at[-1]) + 1_000_000)))
    window = int(data.draw(st.integers(1, 2_000_000)))
    found = Outcomes.of_counters(at, total, bad=bad).within(np.array([now]), window)
    expected = plainly(at.tolist(), bad.tolist(), total.tolist(), now, window)
    assert (found[0][0], found[1][0]) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), min_size=10, max_size=120), st.integers(1, 200))
def test_alerts_are_both_windows_above_the_factor(events: list[tuple[int, int]], least: int) -> None:
    bad = np.cumsum([min(one, other) for one, other in events]).astype(float)
    total = np.cumsum([other for _, other in events]).astype(float)
    at = MINUTE_MS * np.arange(len(events))
    objective = Objective(0.9, least_events=float(least))
    window = BurnWindow(60 * MINUTE_MS, 5 * MINUTE_MS, 3.0, "page")
    found = burning(Outcomes.of_counters(at, total, bad=bad), objective, window, at)
    for place, now in enumerate(at.tolist()):
        long_bad, long_total = plainly(at.tolist(), bad.tolist(), total.tolist(), now, window.long_ms)
        short_bad, short_total = plainly(at.tolist(), bad.tolist(), total.tolist(), now, window.short_ms)
        wanted = (
            long_total >= least
            and short_total > 0
            and long_bad > 0.3 * long_total * (1 + 1e-9)
            and short_bad > 0.3 * short_total * (1 + 1e-9)
        )
        assert found[place] == wanted


def test_the_windows_of_the_workbook() -> None:
    pairs = [(each.long_ms, each.short_ms, round(each.factor, 6)) for each in Objective(0.999).windows()]
    hours = [(1, 1 / 12, 14.4), (6, 0.5, 6.0), (24, 2, 3.0), (72, 6, 1.0)]
    assert pairs == [(long * HOUR_MS, round(short * HOUR_MS), factor) for long, short, factor in hours]
    four_weeks = Objective(0.999, period_ms=28 * DAY_MS).windows()
    assert [round(each.factor, 2) for each in four_weeks] == [13.44, 5.6, 2.8, 0.93]
    week = Objective(0.999, period_ms=7 * DAY_MS).windows()
    assert [round(each.factor, 6) for each in week] == [14.4, 6.0, 3.0, 1.0]
    assert week[0].long_ms == round(7 / 30 * HOUR_MS)


def steady(minutes: int, bad_share: float, each: int = 1000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    at = MINUTE_MS * np.arange(minutes + 1, dtype=np.int64)
    total = each * np.arange(minutes + 1, dtype=np.float64)
    return at, total, total * bad_share


def test_a_steady_burn_uses_the_budget_at_its_rate() -> None:
    at, total, bad = steady(3 * 24 * 60, 0.002)
    outcomes, objective = Outcomes.of_counters(at, total, good=total - bad), Objective(0.999)
    found = burn_at(outcomes, objective, int(at[-1]))
    assert [each.is_burning for each in found] == [False, False, False, True]
    assert all(each.long.burn == pytest.approx(2.0) for each in found)
    assert all(each.long.known == pytest.approx(1.0) for each in found)
    left = budget_at(outcomes, objective, int(at[-1]))
    assert left.left == pytest.approx(1.0 - 2.0)
    assert left.lasts_ms == 0.0


def test_an_outage_that_is_over_does_not_alert() -> None:
    """The long window still has it, the short one no longer."""
    at, total, _ = steady(24 * 60, 0.0)
    bad = np.clip((at - 23 * HOUR_MS) / MINUTE_MS, 0, 10) * 1000.0
    outcomes, objective = Outcomes.of_counters(at, total, bad=bad), Objective(0.999)
    page = objective.windows()[0]
    during, after = 23 * HOUR_MS + 10 * MINUTE_MS, 23 * HOUR_MS + 16 * MINUTE_MS
    assert burning(outcomes, objective, page, np.array([during, after])).tolist() == [True, False]


def test_one_error_at_low_traffic_does_not_alert() -> None:
    at, total, _ = steady(120, 0.0, each=1)
    bad = np.where(at >= 119 * MINUTE_MS, 1.0, 0.0)
    outcomes = Outcomes.of_counters(at, total, bad=bad)
    now = int(at[-1])
    assert not burn_at(outcomes, Objective(0.999), now)[0].is_burning
    assert burn_at(outcomes, Objective(0.999, least_events=10), now)[0].is_burning
    assert not burn_at(outcomes, Objective(0.999, least_events=1000), now)[0].is_burning


def test_a_restart_is_no_burst_of_errors() -> None:
    at, total, bad = steady(120, 0.0)
    bad = bad + 5000.0  # what it had counted long ago
    total[60:] -= total[60]
    bad[60:] = 0.0
    bad[100] = np.nan
    outcomes = Outcomes.of_counters(at, total, bad=bad)
    assert outcomes.bad[-1] == 0.0
    found = burn_at(outcomes, Objective(0.999), int(at[-1]))
    assert found[0].long.known == pytest.approx(1.0 - 2 / 60)


def test_no_events_is_no_burn_rate() -> None:
    at = MINUTE_MS * np.arange(100, dtype=np.int64)
    outcomes = Outcomes.of_counters(at, np.zeros(100), bad=np.zeros(100))
    assert burn_at(outcomes, Objective(0.99), int(at[-1]))[0].long.burn is None
    assert budget_at(outcomes, Objective(0.99), int(at[-1])).left is None
    nothing = Outcomes.of_counters(np.zeros(0, dtype=np.int64), np.zeros(0), bad=np.zeros(0))
    assert burn_at(nothing, Objective(0.99), 0)[0].short.burn is None


@pytest.mark.parametrize("target", [0.0, 1.0, 1.5, -1.0])
def test_an_objective_is_a_share(target: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Objective(target)
