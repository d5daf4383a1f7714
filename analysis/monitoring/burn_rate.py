"""How fast the budget of an objective is used up, and whether that is worth waking somebody.

An objective of 99.9 % over 30 days is a budget of 0.1 % of the events. A burn rate of 1 uses it up in just the period;
an alert wants a high rate over a long window (it matters) *and* over a short one (it still goes on). Windows and shares
of the budget are those of the Site Reliability Workbook (Google 2018, chapter 5): 2 % of it in an hour, 5 % in six,
10 % in a day and in three; the short window is a twelfth of the long one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_BOOK = ((1, 0.02, "page"), (6, 0.05, "page"), (24, 0.1, "ticket"), (72, 0.1, "ticket"))
_SHORT_SHARE = 12
# The windows of the book are for about a month; those of shorter periods shrink with them.
_SHORTEST_USUAL_MS = 28 * DAY_MS
_LEAST_SHORT_MS = 60_000


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """Both windows' burn rates have to be above `factor`."""

    long_ms: int
    short_ms: int
    factor: float
    severity: str


@dataclass(frozen=True, slots=True)
class Objective:
    """`target` is the share of good events, between 0 and 1, over `period_ms`. A window with fewer than `least_events`
    in its long part tells nothing; None: as many as it takes that a single bad one is below the window's factor."""

    target: float
    period_ms: int = 30 * DAY_MS
    least_events: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.target < 1.0:
            raise ValueError("the target of an objective is a share between 0 and 1, such as 0.999")
        if self.period_ms < HOUR_MS:
            raise ValueError("the period of an objective is at least an hour")

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return 1.0 - self.target

    def needed_events(self, window: BurnWindow) -> float:
        if self.least_events is not None:
            return self.least_events
        return 1.0 / min(1.0, window.factor * self.budget)

    def windows(self) -> tuple[BurnWindow, ...]:
        """The standard ones of this period: 14.4, 6, 3 and 1 times for 30 days."""
        scale = 1.0 if self.period_ms >= _SHORTEST_USUAL_MS else self.period_ms / (30 * DAY_MS)
        made = []
        for hours, share, severity in _BOOK:
            long_ms = round(hours * HOUR_MS * scale)
            short_ms = max(_LEAST_SHORT_MS, round(long_ms / _SHORT_SHARE))
            made.append(BurnWindow(max(long_ms, short_ms), short_ms, share * self.period_ms / long_ms, severity))
        return tuple(made)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Events by the samples that told of them: `bad` and `total` (running sums over what is known of both) up to each
    of `at_ms`, which rise, and `seconds` for which they are known (a running sum as well)."""

    at_ms: Array
    bad: Array
    total: Array
    seconds: Array

    @classmethod
    def of_counters(
        cls, at_ms: Array, total: Array, *, bad: Array | None = None, good: Array | None = None
    ) -> Outcomes:
        """From two counters at the same times: all events and either the bad or the good ones.

        NaN marks a gap. What happened from one sample to the next counts where both counters are known at both and
        neither fell, so that a reset or a gap is left out of both, and never is a burst of errors.
        """
        other = bad if bad is not None else good
        if other is None or (bad is not None and good is not None):
            raise ValueError("give the counter of bad events or the one of good events")
        all_new, some_new = np.diff(total, prepend=np.nan), np.diff(other, prepend=np.nan)
        known = (all_new >= 0) & (some_new >= 0)
        bad_new = some_new if bad is not None else all_new - some_new
        # Counters that are read one after the other may disagree by the events in between.
        bad_new = np.clip(np.where(known, bad_new, 0.0), 0.0, np.where(known, all_new, 0.0))
        seconds = np.diff(at_ms, prepend=at_ms[:1]) / 1000.0
        return cls(
            at_ms,
            np.cumsum(bad_new),
            np.cumsum(np.where(known, all_new, 0.0)),
            np.cumsum(np.where(known, seconds, 0.0)),
        )

    def within(self, at_ms: Array, window_ms: int) -> tuple[Array, Array, Array]:
        """(bad, total, seconds known) told by samples after at - window and not after each of `at_ms`."""
        last = np.searchsorted(self.at_ms, at_ms, "right")
        first = np.searchsorted(self.at_ms, at_ms - window_ms, "right")
        sums = (np.concatenate([[0.0], each]) for each in (self.bad, self.total, self.seconds))
        bad, total, seconds = (each[last] - each[first] for each in sums)
        return bad, total, seconds


@dataclass(frozen=True, slots=True)
class WindowBurn:
    """`burn` is None without events; `known` is the share of the window that samples told of."""

    window_ms: int
    bad: float
    total: float
    burn: float | None
    known: float


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows at a time."""

    window: BurnWindow
    long: WindowBurn
    short: WindowBurn
    is_burning: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """`left` is the share of the period's budget that is left (negative: overdrawn), None without events;
    `lasts_ms` until it is used up at the rate of the last long window, None while it is not being used up."""

    left: float | None
    bad: float
    total: float
    lasts_ms: float | None


def burn_at(outcomes: Outcomes, objective: Objective, now_ms: int) -> tuple[Burn, ...]:
    """Of each of the objective's windows."""
    return tuple(_burn(outcomes, objective, window, now_ms) for window in objective.windows())


def burning(outcomes: Outcomes, objective: Objective, window: BurnWindow, at_ms: Array) -> Array:
    """bool: whether that window's alert would be on, at each time; as `burn_at` says it."""
    needed = objective.needed_events(window)
    bad, total, _ = outcomes.within(at_ms, window.long_ms)
    short_bad, short_total, _ = outcomes.within(at_ms, window.short_ms)
    limit = window.factor * objective.budget
    # Sums of floats that were taken apart again are off by their last digits.
    enough = (total >= needed * (1 - 1e-9)) & (short_total > 0)
    return np.asarray(enough & (bad > limit * total * (1 + 1e-9)) & (short_bad > limit * short_total * (1 + 1e-9)))


def budget_at(outcomes: Outcomes, objective: Objective, now_ms: int) -> Budget:
    """Over the period that ends now, so far as there are samples of it."""
    whole = _window(outcomes, objective, objective.period_ms, now_ms)
    if whole.burn is None:
        return Budget(None, whole.bad, whole.total, None)
    left = 1.0 - whole.burn
    pace = _window(outcomes, objective, objective.windows()[0].long_ms, now_ms)
    lasts = None
    if pace.burn is not None and pace.burn > 1.0:
        lasts = max(0.0, left) * objective.period_ms / pace.burn
    return Budget(left, whole.bad, whole.total, lasts)


def _burn(outcomes: Outcomes, objective: Objective, window: BurnWindow, now_ms: int) -> Burn:
    is_burning = bool(burning(outcomes, objective, window, np.array([now_ms]))[0])
    long = _window(outcomes, objective, window.long_ms, now_ms)
    return Burn(window, long, _window(outcomes, objective, window.short_ms, now_ms), is_burning)


def _window(outcomes: Outcomes, objective: Objective, window_ms: int, now_ms: int) -> WindowBurn:
    bad, total, seconds = (float(each[0]) for each in outcomes.within(np.array([now_ms]), window_ms))
    burn = bad / total / objective.budget if total > 0 else None
    known = min(1.0, seconds * 1000.0 / window_ms)
    return WindowBurn(window_ms, bad, total, None if burn is None or not math.isfinite(burn) else burn, known)
