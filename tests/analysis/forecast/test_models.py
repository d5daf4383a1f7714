"""Each model alone: what it must give on series whose answer is known."""

import numpy as np
import pytest
from series_samples import autoregressive, hourly, random_walk

from analysis.forecast.autoregression import autoregression_forecast, lags_for
from analysis.forecast.candidates import NAIVE2, candidate_forecasts
from analysis.forecast.naive import classical_indices, level_shifted, naive, naive2, seasonal_naive
from analysis.forecast.seasonal_smoothing import seasonal_smoothing_forecasts
from analysis.forecast.smoothing import DAMPED, SES, THETA, smoothing_forecasts


def no_check() -> None:
    """Nobody wants to stop."""


def test_smoothing_of_a_line() -> None:
    line = 5 + 2 * np.arange(60.0)
    made = smoothing_forecasts([line], 4)
    assert np.allclose(made[DAMPED][0], 125 + 2 * np.arange(4), rtol=0.01)
    assert np.all(np.diff(made[DAMPED][0]) > 1.5)
    assert made[SES][0] == pytest.approx(np.full(4, made[SES][0][0]))
    assert np.all(np.diff(made[THETA][0]) == pytest.approx(1.0))  # half the slope


def test_smoothing_of_noise_is_its_mean_and_of_a_walk_its_end() -> None:
    noise = np.random.default_rng(1).normal(size=400)
    walk = random_walk(1, 400)
    made = smoothing_forecasts([noise, walk], 3)
    assert np.abs(made[SES][0] - noise.mean()).max() < 0.25
    assert np.abs(made[SES][1] - walk[-1]).max() < 0.5


def test_series_in_one_pass_are_those_in_passes_of_their_own() -> None:
    """Of different lengths and in any order: none has a say in another."""
    series = [random_walk(seed, length) for seed, length in ((1, 50), (2, 300), (3, 2), (4, 120))]
    together = smoothing_forecasts(series, 5)
    for place, values in enumerate(series):
        alone = smoothing_forecasts([values], 5)
        for form, made in together.items():
            assert np.allclose(made[place], alone[form][0]), (form, place)


def test_seasonal_smoothing_knows_the_hour_and_the_day() -> None:
    hours = np.arange(840)
    values = 10 + np.sin(2 * np.pi * hours / 24) * 3 + (hours // 24 % 7 >= 5) * 4.0
    (ahead,) = seasonal_smoothing_forecasts(values[:792], (24, 168), [792], 48)
    assert np.abs(ahead - values[792:]).max() < 0.2
    (blind,) = seasonal_smoothing_forecasts(values[:792], (24,), [792], 48)
    assert np.abs(blind - values[792:]).max() > 1


def test_seasonal_smoothing_goes_on_from_where_it_is() -> None:
    """Of errors that last, the forecast keeps most of the last one for a while; of errors that do not, nothing."""
    kept = {}
    for persistence in (0.0, 0.95):
        shares = []
        for seed in range(10):
            noise = autoregressive(np.random.default_rng(seed), 481, persistence)
            values = np.resize(np.arange(24.0), 481) + noise
            (ahead,) = seasonal_smoothing_forecasts(values[:480], (24,), [480], 1)
            shares.append((ahead[0] - 0.0) / noise[479])
        kept[persistence] = np.median(shares)
    assert kept[0.95] > 0.7
    assert abs(kept[0.0]) < 0.4


def test_seasonal_smoothing_does_not_look_ahead() -> None:
    """What comes after an origin changes nothing in the forecast from it."""
    values = hourly(3, 700)
    changed = values.copy()
    changed[600:] *= 5
    first = seasonal_smoothing_forecasts(values, (24, 168), [520, 600, 700], 24)
    second = seasonal_smoothing_forecasts(changed, (24, 168), [520, 600, 700], 24)
    assert np.array_equal(first[:2], second[:2])
    assert not np.array_equal(first[2], second[2])


def test_autoregression_returns_to_the_mean() -> None:
    values = 20 + autoregressive(np.random.default_rng(4), 800, 0.8)
    ahead = autoregression_forecast(values, (), 30)
    assert ahead is not None
    assert abs(ahead[0] - (20 + 0.8 * (values[-1] - 20))) < 0.4
    assert abs(ahead[-1] - 20) < 0.4


def test_autoregression_repeats_a_season_and_goes_on_with_a_trend() -> None:
    steps = np.arange(240)
    values = 0.5 * steps + np.tile([0.0, 5, 1, 7, 2, 9, 3, 1, 4, 8, 2, 6], 20)
    ahead = autoregression_forecast(values[:228], (12,), 12, difference=12)
    assert ahead is not None
    assert np.abs(ahead - values[228:]).max() < 0.5
    assert autoregression_forecast(values[:8], (12,), 12) is None
    assert max(lags_for((12,), 20), default=0) < 12


def test_naive_forecasts() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9])
    assert naive(values, 2).tolist() == [9, 9]
    assert seasonal_naive(values, 3, 5).tolist() == [7, 8, 9, 7, 8]
    cycles = np.tile([0.0, 1, 5, 2], 6)
    cycles[-2:] += 10
    assert level_shifted(cycles, (2, 4), 4).mean() > cycles[:8].mean() + 5


def test_naive2_of_the_competition() -> None:
    """Multiplicative indices of mean 1 by which the last value is taken on; without a season the last value."""
    profile = np.array([0.5, 1.0, 1.5, 1.0])
    values = np.tile(profile, 12) * 100
    assert classical_indices(values, 4) == pytest.approx(profile)
    assert naive2(values, 4, 6) == pytest.approx([50, 100, 150, 100, 50, 100])
    assert naive2(values[:-1], 4, 3) == pytest.approx([100, 50, 100])
    assert naive2(values - 100, 4, 3).tolist() == naive(values - 100, 3).tolist()
    walk = random_walk(2, 60)
    assert naive2(walk, 1, 3).tolist() == [walk[-1]] * 3


def test_no_candidate_looks_ahead() -> None:
    """The forecasts from each origin are those of a series that ends there."""
    values = hourly(5, 640)
    origins = [520, 592]
    backtest = candidate_forecasts(values, (24, 168), 24, [*origins, 640], 48, no_check)
    for place, origin in enumerate(origins):
        alone = candidate_forecasts(values[:origin], (24, 168), 24, [520, origin], 48, no_check)
        for name in set(backtest.names) & set(alone.names):
            same = np.allclose(backtest.of(name)[place], alone.of(name)[-1], rtol=1e-6)
            clipped = np.abs(alone.of(name)[-1] - backtest.of(name)[place]).max() / values.max() < 0.5
            assert same or (clipped and name.endswith("damped trend")), name
    assert NAIVE2 in backtest.names
    assert len(backtest.names) > 25
