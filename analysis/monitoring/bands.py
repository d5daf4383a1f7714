"""The band a metric is expected in, by a stated rate of false alarms, learned from its past alone.

Expected is a seasonal profile (analysis.monitoring.profiles) plus the median of the last values less that profile: a
spike moves it hardly, a lasting shift is taken over when it fills half the window. Which profile (none, of the day, of
the week) and which window is not assumed: the pair with the narrowest band over a past that it had not seen is taken.
How far the band reaches to each side is the limit that values went beyond at half the rate (tail_limits), in units of a
scale that is constant, of the hour of the day, or of the last values, again what makes the narrowest band. Where a
number of robust deviations is stated in place of a rate, that is the reach: median ± k MAD.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.columns import Array
from analysis.monitoring.band_fitting import LARGEST, LEAST_VALUES, Fitted, fitted, is_known
from analysis.monitoring.trailing import TrailingMedian

Direction = Literal["both", "above", "below"]
# A batch is fitted anew when the past has grown by a quarter, or by so many values.
_GROWTH, _MOST_BETWEEN = 0.25, 500


@dataclass(frozen=True, slots=True)
class BandOptions:
    """What is asked of a band.

    `false_alarm_rate` is the share of values of an undisturbed series that lie outside, between 0 and 0.5; None: the
    band reaches `deviations` robust standard deviations (1.4826 MAD). `direction` says which side is wrong. An alarm
    that began outside the band ends when the value is within the share `leave` of the reach. `least_change`, in the
    metric's unit, is a distance that is never an alarm. `seasonal` False: no profile is looked for.
    """

    false_alarm_rate: float | None = 1e-4
    deviations: float = 6.0
    direction: Direction = "both"
    leave: float = 2 / 3
    least_change: float = 0.0
    seasonal: bool = True

    @property
    def side_rate(self) -> float | None:
        """The rate of one side."""
        both = 2 if self.direction == "both" else 1
        return None if self.false_alarm_rate is None else self.false_alarm_rate / both


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` is the distance from `expected` over the band's reach to that side, with its sign: beyond ±1 is outside.

    A side that is not asked for is infinitely far. `is_anomalous` has the hysteresis.
    """

    expected: float
    lower: float
    upper: float
    score: float
    is_anomalous: bool


class BandModel:
    """A fitted band that goes on with the series, a few µs a value. Not for several tasks at once.

    What it has learned of the season, the scale and the tails stays as fitted: fit anew about each day, or after
    `refit_after` values, from stored history.
    """

    __slots__ = ("_anomalous", "_distances", "_fitted", "_level", "options", "refit_after")

    def __init__(self, found: Fitted, options: BandOptions) -> None:
        self._fitted = found
        self.options = options
        self._level = TrailingMedian(found.window, found.last_adjusted)
        self._distances = TrailingMedian(found.scale.window, found.last_distances) if found.scale.window else None
        self._anomalous = False
        self.refit_after = min(_MOST_BETWEEN, max(10, int(_GROWTH * found.count)))

    @property
    def season(self) -> str | None:
        """`day`, `week` or None."""
        return self._fitted.season

    @property
    def window(self) -> int:
        """How many of the last values the level is the median of: half as many until a shift is taken over."""
        return self._fitted.window

    def expected(self, at_ms: Array) -> Array:
        """float64: what is expected at these times if the level stays."""
        return np.asarray(self._fitted.seasonal(at_ms) + self._level.value + self._fitted.bias)

    def scale(self, at_ms: int) -> float:
        """A robust standard deviation, in the metric's unit."""
        local = None if self._distances is None else self._distances.value
        return self._fitted.scale.now(at_ms, local)

    def limits(self, at_ms: int) -> tuple[float, float, float]:
        """(expected, lower, upper) of a value at that time."""
        expected = self._fitted.seasonal_now(at_ms) + self._level.value + self._fitted.bias
        scale = self.scale(at_ms)
        return expected, expected - self._fitted.below(scale), expected + self._fitted.above(scale)

    def judge(self, at_ms: int, value: float, *, was_anomalous: bool | None = None) -> Judgement:
        """Of a value that is not learned from. `was_anomalous` stands in for what was said of the last one."""
        expected, lower, upper = self.limits(at_ms)
        score = _score(value - expected, expected - lower, upper - expected)
        before = self._anomalous if was_anomalous is None else was_anomalous
        limit = self.options.leave if before else 1.0
        return Judgement(expected, lower, upper, score, abs(score) > limit)

    def update(self, at_ms: int, value: float) -> Judgement:
        """Judges the value, then learns from it. NaN (a gap) is judged to be nothing, and ends an alarm."""
        if not -LARGEST < value < LARGEST:
            self._anomalous = False
            return Judgement(*self.limits(at_ms), float("nan"), is_anomalous=False)
        judged = self.judge(at_ms, value)
        self._anomalous = judged.is_anomalous
        self._level.push(value - self._fitted.seasonal_now(at_ms))
        if self._distances is not None:
            self._distances.push(abs(value - judged.expected))
        return judged


def _score(distance: float, below: float, above: float) -> float:
    reach = above if distance > 0 else below
    if reach > 0:
        return distance / reach
    return 0.0 if distance == 0 else float("inf") if distance > 0 else float("-inf")


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """For each value (float64, NaN where too little past told): see `Judgement`. `seasons` names the profile used."""

    expected: Array
    lower: Array
    upper: Array
    score: Array
    is_anomalous: Array
    seasons: tuple[str, ...]


def fit(
    at_ms: Array,
    values: Array,
    options: BandOptions | None = None,
    *,
    history: tuple[Array, Array] | None = None,
) -> BandModel | None:
    """The band after these values, None of fewer than 50 known ones.

    `at_ms` int64 rises, at about even distances; `values` float64, NaN in gaps. `history` is a longer past in coarser
    steps (an aggregate such as the mean): only the season is learned from it.
    """
    options = options or BandOptions()
    found = _fitted(at_ms, values, options, history)
    return None if found is None else BandModel(found, options)


def _fitted(
    at_ms: Array, values: Array, options: BandOptions, history: tuple[Array, Array] | None = None
) -> Fitted | None:
    known = is_known(values)
    return fitted(
        at_ms[known],
        values[known],
        side_rate=options.side_rate,
        deviations=options.deviations,
        direction=options.direction,
        least_change=options.least_change,
        seasonal=options.seasonal,
        history=history,
    )


def band(
    at_ms: Array,
    values: Array,
    options: BandOptions | None = None,
    *,
    start: int = 0,
    history: tuple[Array, Array] | None = None,
) -> Band:
    """The band of each value from `start` on (an index; those before are past alone), from what came before it.

    Arrays as of `fit`; the answer's have len(values) - start entries. `history` has to end before the first value.
    """
    options = options or BandOptions()
    count = len(values)
    made = np.full((4, count), np.nan)
    seasons: dict[str, None] = {}
    for first, last in _blocks(is_known(values), start):
        found = _fitted(at_ms[:first], values[:first], options, history)
        if found is None:
            continue
        seasons |= {found.season: None} if found.season else {}
        expected, below, above = found.of_block(at_ms[first:last], values[first:last])
        made[0, first:last] = expected
        made[1, first:last] = expected - below
        made[2, first:last] = expected + above
        numbers = np.where(is_known(values[first:last]), values[first:last], np.nan)
        made[3, first:last] = _scores(numbers - expected, below, above)
    kept = made[:, start:]
    return Band(kept[0], kept[1], kept[2], kept[3], with_hysteresis(kept[3], options.leave), tuple(seasons))


def _blocks(known: Array, start: int) -> Iterator[tuple[int, int]]:
    """(first, last): stretches that one fit of all before is for."""
    counts = np.cumsum(known)
    first = max(start, int(np.searchsorted(counts, LEAST_VALUES)) + 1)
    while first < len(known):
        past = int(counts[first - 1])
        more = past + min(_MOST_BETWEEN, max(10, int(_GROWTH * past)))
        last = min(len(known), max(first + 1, int(np.searchsorted(counts, more)) + 1))
        yield first, last
        first = last


def _scores(distances: Array, below: Array, above: Array) -> Array:
    reach = np.where(distances > 0, above, below)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distances == 0, 0.0, distances / reach)


def with_hysteresis(scores: Array, leave: float) -> Array:
    """bool: from a score beyond ±1 until one within ±`leave`; NaN is within."""
    size = np.abs(np.nan_to_num(scores, nan=0.0, posinf=2.0, neginf=-2.0))
    decided = (size > 1.0) | (size <= leave)
    last = np.maximum.accumulate(np.where(decided, np.arange(len(size)), 0))
    return np.asarray(size[last] > 1.0) if len(size) else np.zeros(0, dtype=bool)
