"""Trends are told from wandering."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.columns import Array
from analysis.series.trend import trend_of
from analysis.series.whitening import coupling, despiked, lag_one, persistence, whitened


def memory(rng: np.random.Generator, rows: int, alpha: float) -> Array:
    values = rng.standard_normal(rows)
    for place in range(1, rows):
        values[place] += alpha * values[place - 1]
    return values


@pytest.mark.parametrize("alpha", [0.0, 0.6, 0.9, 1.0])
def test_noise_with_memory_has_no_trend(alpha: float) -> None:
    rng = np.random.default_rng(2)
    chances = []
    for _ in range(150):
        trend = trend_of(memory(rng, 120, alpha))
        assert trend is not None
        chances.append(trend.p)
    print(f"seed 2, alpha {alpha}: {np.mean(np.array(chances) < 0.05)} below 0.05")
    assert np.mean(np.array(chances) < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    assert np.mean(np.array(chances) < 0.001) <= 0.02


@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_a_trend_is_found_with_its_slope(alpha: float) -> None:
    values = memory(np.random.default_rng(3), 200, alpha) + 0.05 * np.arange(200)
    trend = trend_of(values)
    assert trend is not None
    assert trend.p < 1e-6
    assert abs(trend.slope - 0.05) < 3 * trend.error
    assert trend.explained > 0.7


@pytest.mark.parametrize("size", [1e-290, 1e300])
def test_the_size_of_values_makes_no_trend(size: float) -> None:
    """Of whose squares there are no numbers; one value far off is no line."""
    noise = np.random.default_rng(8).standard_normal(400)
    spiked = trend_of(np.append(noise, size)) if size > 1 else trend_of(noise * size)
    assert spiked is not None
    assert spiked.p > 1e-3
    assert spiked.explained < 0.1
    line, alike = trend_of((noise + np.arange(400)) * (size / 1e3)), trend_of(noise + np.arange(400))
    assert line is not None
    assert alike is not None
    assert line.slope / (size / 1e3) == pytest.approx(alike.slope)
    assert line.error / (size / 1e3) == pytest.approx(alike.error)


def test_walks_with_gaps_have_no_trend() -> None:
    rng = np.random.default_rng(12)
    chances = []
    for _ in range(200):
        values = np.cumsum(rng.standard_normal(400))
        values[rng.random(400) < 0.75] = np.nan
        trend = trend_of(values)
        assert trend is not None
        chances.append(trend.p)
    assert np.mean(np.array(chances) < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(np.array(chances) < 0.001) <= 0.02


def test_gaps_and_perfect_lines() -> None:
    values = 2.0 * np.arange(50)
    values[10:15] = np.nan
    trend = trend_of(values)
    assert trend is not None
    assert trend.slope == pytest.approx(2.0)
    assert trend.p < 1e-9
    assert trend_of(np.full(50, 3.0)) is None
    assert trend_of(np.arange(5.0)) is None
    assert trend_of(np.full(50, np.nan)) is None


def test_persistence_tells_walks_from_noise() -> None:
    rng = np.random.default_rng(4)
    walk, noise = persistence(np.cumsum(rng.standard_normal(300))), persistence(rng.standard_normal(300))
    assert walk is not None
    assert noise is not None
    assert walk.upper == 1.0
    assert noise.upper < 0.4
    assert persistence(np.ones(50)) is None


def test_whitening_takes_the_memory_out() -> None:
    values = memory(np.random.default_rng(5), 2_000, 0.9)
    assert lag_one(values) > 0.85
    assert abs(lag_one(whitened(values))) < 0.06


def test_coupling_is_not_deceived_by_common_unrest() -> None:
    """Two unrelated series that are lively at the same time: the usual statistic is too large twice as often."""
    rng = np.random.default_rng(6)
    unrest = np.where(np.arange(400) < 20, 10.0, 1.0)
    statistics = [coupling(unrest * rng.standard_normal(400), unrest * rng.standard_normal(400)) for _ in range(400)]
    assert np.mean(np.abs(statistics) > 2.58) <= 0.01 + 3 * (0.01 * 0.99 / 400) ** 0.5


def test_single_spikes_go_and_steps_stay() -> None:
    values = np.random.default_rng(8).standard_normal(100)
    values[50:] += 20.0
    values[20] = 500.0
    calm = despiked(values)
    assert abs(calm[20]) < 5.0
    assert calm[60:].mean() - calm[:40].mean() > 18.0
