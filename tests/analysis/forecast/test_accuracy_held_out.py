"""Forecasts against what came, on series that ship in packages and on made ones: better than naive, honest intervals.

`benchmarks/forecasts.py` does the same over more series; this is its short form.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from series_samples import hourly, random_walk, stamps, weekly

from analysis.columns import Array
from analysis.forecast.answers import ForecastOptions, SeriesForecast
from analysis.forecast.naive import seasonal_naive
from analysis.forecast.predict import forecast
from analysis.frames import frame_of


@dataclass(frozen=True, slots=True)
class Held:
    """A forecast, what came instead, and the mean absolute errors of it and of seasonal naive."""

    made: SeriesForecast
    inside: Array
    error: float
    naive_error: float


def held_out(values: Array, step: str, horizon: int, period: int) -> Held:
    known, came = values[:-horizon], values[-horizon:]
    frame = frame_of({"at": stamps(len(known), step), "y": known})
    made = forecast(frame, ForecastOptions("y", "at", horizon), lambda *_: None, lambda: None).series[0]
    points = np.array([point.value for point in made.points])
    lows, highs = (
        np.array([[getattr(interval, end) for interval in point.intervals] for point in made.points])
        for end in ("low", "high")
    )
    inside = (came[:, None] >= lows) & (came[:, None] <= highs)
    rival = np.abs(seasonal_naive(known, period, horizon) - came).mean()
    return Held(made, inside, float(np.abs(points - came).mean()), float(rival))


def test_public_series_by_the_hour() -> None:
    """Temperatures of Seattle and San Francisco, a normal year by the hour, from four places of it each."""
    data = pytest.importorskip("vega_datasets").local_data
    errors = []
    for temperatures in (data.seattle_temps()["temp"].to_numpy(), data.sf_temps()["temp"].to_numpy()):
        for end in (1000, 3000, 5000, 7000):
            held = held_out(temperatures[end - 748 : end].astype(float), "hour", 48, 24)
            assert held.made.backtest is not None
            errors.append((held.error, held.naive_error, bool(held.made.backtest.beats_seasonal_naive)))
    ours, naive, beats = (np.mean(column) for column in zip(*errors, strict=True))
    print("error", ours, "seasonal naive", naive, "beaten in backtests", beats)
    assert ours < 0.7 * naive
    assert beats == 1


def test_public_series_of_jobs_and_stocks() -> None:
    """US employment by month (22 columns) is seasonal and trending; stocks are walks, which nobody beats."""
    data = pytest.importorskip("vega_datasets").local_data
    jobs = data.us_employment()
    errors, beaten = [], []
    for name in jobs.columns[1:9]:
        values = jobs[name].to_numpy().astype(float)
        held = held_out(values[:108], "week", 6, 1)
        errors.append(held.error / held.naive_error)
        assert held.made.backtest is not None
        beaten.append(bool(held.made.backtest.beats_seasonal_naive))
    print("relative to naive", errors)
    assert np.mean(errors) < 0.75
    assert np.mean(beaten) > 0.7


def test_made_series_and_the_coverage_over_all() -> None:
    """Hourly, weekly and random walks: 95 % intervals cover 92 to 98 %, and seasonal naive is beaten."""
    helds = {
        "hourly": [held_out(hourly(seed, 748 + 24 * seed), "hour", 48, 24) for seed in range(14)],
        "weekly": [held_out(weekly(seed), "week", 13, 52) for seed in range(30)],
        "walks": [held_out(random_walk(seed, 150), "week", 13, 1) for seed in range(40)],
    }
    covered = np.array([np.mean([held.inside.mean(axis=0) for held in group], axis=0) for group in helds.values()])
    errors = {
        name: sum(held.error for held in group) / sum(held.naive_error for held in group)
        for name, group in helds.items()
    }
    print("seeds 0 to 39: covered", covered.round(3).tolist(), "errors relative to seasonal naive", errors)
    assert 0.92 <= covered[:, 1].mean() <= 0.98
    assert 0.74 <= covered[:, 0].mean() <= 0.88
    assert errors["hourly"] < 0.6
    assert errors["weekly"] < 0.8
    assert errors["walks"] < 1.08


def test_nominal_beside_achieved_coverage() -> None:
    """The backtest's own figure is near what happened: it is made without the origin it judges."""
    claimed, happened = [], []
    for seed in range(40):
        held = held_out(random_walk(100 + seed, 120), "day", 7, 1)
        assert held.made.backtest is not None
        claimed.append(held.made.backtest.coverage[1].achieved)
        happened.append(held.inside[:, 1].mean())
    print("claimed", np.mean(claimed), "happened", np.mean(happened))
    assert abs(np.mean(claimed) - np.mean(happened)) < 0.06
