"""Periods that are there are found; wandering, noise and trends make none."""

from collections.abc import Callable

import numpy as np
import pytest
from series_samples import SEEDS, autoregressive, hourly, random_walk, weekly

from analysis.columns import Array
from analysis.series.seasonality import autocorrelation, m4_seasonal, prewhitened, seasonal_periods

Maker = Callable[[int, int], Array]


def test_day_and_week_of_hourly_values() -> None:
    found = [tuple(season.period for season in seasonal_periods(hourly(seed), (24, 168))) for seed in range(10)]
    assert sum(24 in periods for periods in found) == 10
    assert sum(168 in periods for periods in found) >= 8


def test_the_year_of_weekly_values() -> None:
    found = [[season.period for season in seasonal_periods(weekly(seed), (52,))] for seed in range(10)]
    assert sum(52 in periods for periods in found) >= 9


def test_a_period_of_no_calendar_is_searched() -> None:
    found = []
    for seed in range(10):
        pattern = np.random.default_rng(seed).normal(size=17)
        noise = np.random.default_rng(100 + seed).normal(scale=0.5, size=400)
        found.append([season.period for season in seasonal_periods(np.resize(pattern, 400) + noise)])
    assert sum(17 in periods for periods in found) >= 8


@pytest.mark.parametrize(
    "make",
    [
        lambda seed, n: np.random.default_rng(seed).normal(size=n),
        random_walk,
        lambda seed, n: autoregressive(np.random.default_rng(seed), n, 0.9),
        lambda seed, n: np.random.default_rng(seed).standard_t(2, size=n),
        lambda seed, n: np.arange(n) * 0.1 + np.random.default_rng(seed).normal(size=n),
    ],
    ids=["noise", "random walk", "autoregression", "heavy tails", "trend"],
)
def test_no_season_where_there_is_none(make: Maker) -> None:
    """At a level of 5 % forty series may have at most six: beyond that the chance is 0.3 %."""
    hits = [seed for seed in SEEDS if seasonal_periods(make(seed, 336), (24, 7))]
    print("seeds with a season:", hits)
    assert len(hits) <= 6


def test_outliers_do_not_hide_a_season() -> None:
    """A pump that fails now and then still has days."""
    missed = []
    for seed in range(10):
        chance = np.random.default_rng(seed)
        flow = 100 + np.sin(2 * np.pi * np.arange(700) / 24) + chance.normal(scale=0.7, size=700)
        for start in chance.integers(0, 690, 4):
            flow[start : start + 9] = 24
        missed += [] if 24 in {season.period for season in seasonal_periods(flow, (24, 168))} else [seed]
    print("seeds without a day:", missed)
    assert len(missed) <= 1


def test_gaps_and_flat_series_do_no_harm() -> None:
    values = hourly(2)
    values[100:120] = np.nan
    assert 24 in {season.period for season in seasonal_periods(values, (24, 168))}
    assert seasonal_periods(np.full(100, 3.0), (12,)) == ()
    assert seasonal_periods(np.full(100, np.nan), (12,)) == ()
    assert seasonal_periods(np.arange(5.0), (2,)) == ()


def test_autocorrelation_as_statsmodels_has_it() -> None:
    t = np.arange(100)
    values = 10 + 0.1 * t + 3 * np.sin(2 * np.pi * t / 12) + np.cos(t * t * 0.7)
    wanted = [1.0, 0.8743092861508605, 0.7181040924877905, 0.5301125001307874]
    assert np.allclose(autocorrelation(values, 3), wanted, atol=1e-12)


def test_the_competition_test_needs_three_cycles() -> None:
    wave = np.sin(2 * np.pi * np.arange(100) / 24) + 3
    assert m4_seasonal(wave, 24)
    assert not m4_seasonal(wave[:71], 24)
    assert not m4_seasonal(wave, 1)


def test_prewhitening_leaves_nothing_of_an_autoregression() -> None:
    values = autoregressive(np.random.default_rng(8), 2000, 0.9)
    assert abs(autocorrelation(prewhitened(values), 1)[1]) < 0.06
