"""From where a series can be forecast in a backtest, which seasons that has room for, and how far ahead it reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Fewer values than this and nothing can be stood behind.
LEAST_VALUES = 8
LEAST_ORIGINS = 3
_MOST_ORIGINS = 8
_LEAST_APART = 2
# Short horizons need more origins for as many errors as intervals are made of.
_WANTED_ERRORS = 24
# Origins are half a horizon apart; down to this part of it where that leaves room for a season before the first.
_CLOSEST = 36
# The least that any model is fitted to in a backtest, and what it gets where there is plenty.
_LEAST_TRAINING, _GOOD_TRAINING = 5, 30


@dataclass(frozen=True, slots=True)
class Plan:
    """`origins` (ascending) are `stride` apart, with `horizon` known values after each and two cycles of all `periods`
    before.
    """

    origins: tuple[int, ...]
    stride: int
    horizon: int
    periods: tuple[int, ...]

    def others(self) -> tuple[tuple[int, ...], ...]:
        """For each origin, which (by place) may judge it: those whose values to come are none of its own.

        Where fewer than two are, all the others: overlapping ones tell more than none.
        """
        made = []
        for place, origin in enumerate(self.origins):
            rest = [number for number in range(len(self.origins)) if number != place]
            apart = [number for number in rest if abs(self.origins[number] - origin) >= self.horizon]
            made.append(tuple(apart if len(apart) >= _LEAST_APART else rest))
        return tuple(made)


def longest_horizon(values: int) -> int:
    """How many steps ahead a series of so many values can be tested from three origins; 0 where it is too short."""
    if values < LEAST_VALUES:
        return 0
    return max(1, min(values // 2, values - _LEAST_TRAINING - LEAST_ORIGINS + 1))


def plan_of(values: int, horizon: int, periods: Sequence[int]) -> Plan:
    """The backtest of a series of so many values; `horizon` is at most `longest_horizon(values)`."""
    latest = values - horizon
    stride = _stride(latest, horizon, periods)
    kept = tuple(period for period in periods if latest - (LEAST_ORIGINS - 1) * stride >= 2 * period + 2)
    least = max(_LEAST_TRAINING, min(_GOOD_TRAINING, latest // 2), *(2 * period + 2 for period in kept))
    if kept and latest - (_MOST_ORIGINS - 1) * stride >= 2 * kept[-1] + kept[0]:
        least = max(least, 2 * kept[-1] + kept[0])
    wanted = max(_MOST_ORIGINS, math.ceil(_WANTED_ERRORS / horizon))
    count = min(wanted, max(LEAST_ORIGINS, 1 + (latest - least) // stride))
    origins = [latest - stride * place for place in range(count)]
    return Plan(tuple(sorted(origin for origin in origins if origin >= _LEAST_TRAINING)), stride, horizon, kept)


def _stride(latest: int, horizon: int, periods: Sequence[int]) -> int:
    """Origins nearer to each other tell less of the errors; a forecast without the season is worse than that."""
    stride = max(1, min(horizon // 2, (latest - _LEAST_TRAINING) // (LEAST_ORIGINS - 1)))
    for period in sorted(periods, reverse=True):
        room = (latest - 2 * period - 2) // (LEAST_ORIGINS - 1)
        if room >= max(1, horizon // _CLOSEST):
            return min(stride, room)
    return stride
