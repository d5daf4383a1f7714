"""Spikes and level shifts beside trend, seasons and heavy tails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.columns import Array
from analysis.series.anomalies import anomalies

NULLS: dict[str, Callable[[np.random.Generator], Array]] = {
    "white noise": lambda rng: rng.standard_normal(200),
    "Cauchy noise": lambda rng: rng.standard_cauchy(200),
    "log-normal noise": lambda rng: rng.lognormal(0, 1, 200),
    "random walk": lambda rng: np.cumsum(rng.standard_normal(200)),
    "steep trend": lambda rng: 0.5 * np.arange(200) + 0.3 * rng.standard_normal(200),
    "curve": lambda rng: np.sin(np.arange(200) / 12) + 0.02 * rng.standard_normal(200),
}


@pytest.mark.parametrize("null", NULLS)
def test_noise_has_no_anomalies(null: str) -> None:
    rng = np.random.default_rng(31)
    found = [anomalies(NULLS[null](rng)) for _ in range(80)]
    for chances in (np.array([one.spikes_p for one in found]), np.array([one.shifts_p for one in found])):
        print(f"seed 31, {null}: {np.mean(chances < 0.05)} below 0.05")
        assert np.mean(chances < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 80) ** 0.5
        assert np.mean(chances < 0.001) <= 0.025


def season(rows: int) -> Array:
    at = np.arange(rows)
    return np.asarray(5.0 * np.sin(2 * np.pi * at / 7) + 0.02 * at)


def test_a_spike_within_a_season_is_found() -> None:
    """It is no larger than the season: without the decomposition nobody would see it."""
    values = season(728) + 0.3 * np.random.default_rng(1).standard_normal(728)
    low = int(np.argmin(values[100:200])) + 100
    values[low] += 5.0
    found = anomalies(values, [7])
    assert found.spikes_p < 1e-4
    assert found.spikes[0].index == low
    assert found.spikes[0].kind == "spike"
    assert found.spikes[0].value - found.spikes[0].expected == pytest.approx(5.0, abs=1.0)
    assert anomalies(values).spikes_p > 1e-4


def test_a_step_of_a_random_walk_is_a_level_shift() -> None:
    values = np.cumsum(np.random.default_rng(2).standard_normal(500))
    values[180:] += 25.0
    found = anomalies(values)
    assert found.shifts_p < 1e-4
    assert found.shifts[0].index == 180
    assert found.shifts[0].value - found.shifts[0].expected > 15.0


@pytest.mark.parametrize("scale", [1.0, 1e20])
def test_the_digits_of_a_straight_line_are_no_anomalies(scale: float) -> None:
    found = anomalies(np.arange(500) / 3 * scale)
    assert (found.spikes, found.shifts) == ((), ())


def test_a_spike_is_no_level_shift() -> None:
    values = np.random.default_rng(3).standard_normal(300)
    values[100] = 30.0
    found = anomalies(values)
    assert found.spikes[0].index == 100
    assert found.shifts_p > 0.01


def test_gaps_are_no_anomalies() -> None:
    values = np.random.default_rng(4).standard_normal(300)
    values[50:70] = np.nan
    values[200] = 25.0
    found = anomalies(values)
    assert [spike.index for spike in found.spikes] == [200]


@pytest.mark.parametrize(("values", "status"), [(np.arange(10.0), "too_few"), (np.full(100, 4.0), "constant")])
def test_what_cannot_be_judged(values: Array, status: str) -> None:
    found = anomalies(values)
    assert (found.spikes, found.shifts, found.status) == ((), (), status)
