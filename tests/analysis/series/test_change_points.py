"""Lasting changes are told from wandering, trends and spikes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.columns import Array
from analysis.series.change_points import change_points, pelt

NULLS: dict[str, Callable[[np.random.Generator], Array]] = {
    "white noise": lambda rng: rng.standard_normal(120),
    "log-normal noise": lambda rng: rng.lognormal(0, 1, 120),
    "Cauchy noise": lambda rng: rng.standard_cauchy(120),
    "random walk": lambda rng: np.cumsum(rng.standard_normal(120)),
    "trend": lambda rng: 0.2 * np.arange(120) + rng.standard_normal(120),
}


@pytest.mark.parametrize("null", NULLS)
def test_nothing_changes_where_nothing_changed(null: str) -> None:
    rng = np.random.default_rng(21)
    chances = np.array([change_points(NULLS[null](rng)).p for _ in range(80)])
    print(f"seed 21, {null}: {np.mean(chances < 0.05)} below 0.05")
    assert np.mean(chances < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 80) ** 0.5
    assert np.mean(chances < 0.001) <= 0.025


def test_a_step_is_found_at_its_place() -> None:
    values = np.random.default_rng(1).standard_normal(200) + np.where(np.arange(200) >= 80, 3.0, 0.0)
    found = change_points(values)
    assert found.p < 1e-6
    (point,) = found.points
    assert point.kind == "level"
    assert abs(point.index - 80) <= 2
    assert point.after - point.before == pytest.approx(3.0, abs=0.5)
    assert point.effect > 2.0


def test_two_steps_and_gaps() -> None:
    at = np.arange(300)
    values = np.random.default_rng(2).standard_normal(300) + np.where((at >= 100) & (at < 200), 4.0, 0.0)
    values[::7] = np.nan
    found = change_points(values)
    assert [abs(point.index - place) <= 3 for point, place in zip(found.points, (100, 200), strict=True)] == [
        True,
        True,
    ]


def test_a_bend_is_a_change_of_slope() -> None:
    at = np.arange(200.0)
    found = change_points(np.random.default_rng(3).standard_normal(200) + 0.1 * np.maximum(at - 100, 0))
    (point,) = found.points
    assert point.kind == "slope"
    assert abs(point.index - 100) <= 15
    assert point.after - point.before == pytest.approx(0.1, abs=0.03)


def test_long_series_are_told_in_their_own_steps() -> None:
    values = np.random.default_rng(4).standard_normal(10_001) + np.where(np.arange(10_001) >= 6_000, 2.0, 0.0)
    (point,) = change_points(values).points
    assert abs(point.index - 6_000) <= 20


@pytest.mark.parametrize(
    ("values", "status"),
    [(np.arange(4.0), "too_few"), (np.full(50, np.nan), "too_few"), (np.full(50, 2.0), "constant")],
)
def test_what_cannot_be_judged(values: Array, status: str) -> None:
    found = change_points(values)
    assert (found.points, found.p, found.status) == ((), 1.0, status)


def test_pelt_finds_what_a_full_search_finds() -> None:
    rng = np.random.default_rng(9)
    for _ in range(20):
        values = rng.standard_normal(40) + np.repeat(rng.normal(0, 3, 4), 10)
        assert pelt(values, 6.0, 3) == optimal(values, 6.0, 3)


def optimal(values: Array, penalty: float, shortest: int) -> list[int]:
    """Dynamic programming without pruning."""
    count = len(values)
    cost, origin = [-penalty] + [np.inf] * count, [0] * (count + 1)
    for end in range(shortest, count + 1):
        for start in [0, *range(shortest, end - shortest + 1)]:
            total = cost[start] + float(np.var(values[start:end])) * (end - start) + penalty
            if total < cost[end] - 1e-12:
                cost[end], origin[end] = total, start
    found, end = [], count
    while origin[end] > 0:
        end = origin[end]
        found.append(end)
    return found[::-1]
