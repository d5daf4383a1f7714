"""How good alarms are: the Numenta benchmark's score of its standard profile, and events that were found or not.

Numenta's (Lavin and Ahmad 2015): the first alarm within a window earns up to 1, the more the earlier; a window without
one costs 1; an alarm outside costs up to 0.11, less just after a window. 0 is what saying nothing comes to, 100 what
finding each window at its first value and nothing else comes to. What is not judged (the probation) does not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from benchmarks.anomaly_data import Labelled

_FALSE_ALARM = 0.11
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Scored:
    """Of one series or, added up, of many. `delays` are in minutes from where a made disturbance begins."""

    numenta: float = 0.0
    windows: int = 0
    found: int = 0
    alarms: int = 0
    false_alarms: int = 0
    judged: int = 0
    days: float = 0.0
    delays: tuple[float, ...] = ()

    def __add__(self, other: Scored) -> Scored:
        return Scored(
            self.numenta + other.numenta,
            self.windows + other.windows,
            self.found + other.found,
            self.alarms + other.alarms,
            self.false_alarms + other.false_alarms,
            self.judged + other.judged,
            self.days + other.days,
            self.delays + other.delays,
        )

    @property
    def numenta_percent(self) -> float:
        """0 of silence, 100 of perfection."""
        return 100.0 * (self.numenta + self.windows) / (2.0 * self.windows) if self.windows else math.nan

    @property
    def precision(self) -> float:
        return 1.0 - self.false_alarms / self.alarms if self.alarms else math.nan

    @property
    def recall(self) -> float:
        return self.found / self.windows if self.windows else math.nan

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2.0 * self.precision * self.recall / both if both > 0 else 0.0


def scored(series: Labelled, is_anomalous: Array) -> Scored:
    """`is_anomalous` has a bool for each value; an alarm is a run of them, told at its first."""
    judged = is_anomalous.copy()
    judged[: series.probation] = False
    edges = np.diff(np.concatenate([[0], judged.view(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    windows = [window for window in series.windows if window[1] >= series.probation]
    hits = [np.flatnonzero((starts <= last) & (ends >= first)) for first, last in windows]
    true = np.zeros(len(starts), dtype=bool)
    for hit in hits:
        true[hit] = True
    return Scored(
        _numenta(starts, windows),
        len(windows),
        sum(len(hit) > 0 for hit in hits),
        len(starts),
        int((~true).sum()),
        len(judged) - series.probation,
        (int(series.at_ms[-1]) - int(series.at_ms[series.probation])) / DAY_MS,
        _delays(series, judged),
    )


def _numenta(alarms: Array, windows: list[tuple[int, int]]) -> float:
    total = 0.0
    for first, last in windows:
        within = alarms[(alarms >= first) & (alarms <= last)]
        width = last - first + 1
        total += _earned(-(last - int(within[0]) + 1) / width) / _earned(-1.0) if len(within) else -1.0
    for alarm in alarms.tolist():
        if any(first <= alarm <= last for first, last in windows):
            continue
        before = [window for window in windows if window[1] < alarm]
        if not before:
            total -= _FALSE_ALARM
            continue
        first, last = before[-1]
        total += _FALSE_ALARM * _earned((alarm - last) / max(last - first, 1))
    return total


def _earned(position: float) -> float:
    """1 well before a window's end (-1 is its start), 0 at it, towards -1 after it."""
    return -1.0 if position > 3.0 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def _delays(series: Labelled, judged: Array) -> tuple[float, ...]:
    delays = []
    for start, (_, last) in zip(series.starts, series.windows if series.starts else (), strict=True):
        after = np.flatnonzero(judged[start : last + 1])
        if len(after):
            delays.append((int(series.at_ms[start + int(after[0])]) - int(series.at_ms[start])) / 60_000)
    return tuple(delays)
