"""What is known of several series, one row after the other, and for how long a value holds.

Rows are ordered by series, then by time, no time twice. A value that is NaN is a marker: from here on nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A value is given up this many times the distance to the one before later: two may be late or lost.
HELD_DISTANCES = 2.5
_LEAST_HELD_MS = 900_000
_HELD_STEPS = 5


@dataclass(frozen=True, slots=True)
class Rows:
    """n samples of `count` series: which series (0 to count - 1), when in ms, and what."""

    count: int
    series: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    value: NDArray[np.float64]


def longest_hold(step_ms: int) -> int:
    """For how many ms a value may stand for what follows at most; what is told of a stretch depends on rows from twice
    that before it on, and no others."""
    return max(_LEAST_HELD_MS, _HELD_STEPS * step_ms)


def holds(rows: Rows, longest_ms: int) -> NDArray[np.float64]:
    """For how many ms each value stands for what follows: 2.5 times the shorter of its last two distances.

    One long distance, as after an outage, does not count then. Where fewer are known since a marker, or within the
    longest hold, it is that. Nothing holds after a marker.
    """
    n = len(rows.at_ms)
    held = np.full(n, float(longest_ms))
    if n >= 3:
        linked = linked_to_previous(rows)
        one = rows.at_ms[2:] - rows.at_ms[1:-1]
        other = rows.at_ms[1:-1] - rows.at_ms[:-2]
        known = linked[2:] & linked[1:-1] & (one + other <= longest_ms)
        shorter = np.minimum(longest_ms, HELD_DISTANCES * np.minimum(one, other))
        held[2:] = np.where(known, shorter, held[2:])
    held[np.isnan(rows.value)] = 0.0
    return held


def linked_to_previous(rows: Rows) -> NDArray[np.bool_]:
    """Whether each row and the one before it are values of the same series."""
    linked = np.zeros(len(rows.at_ms), bool)
    known = ~np.isnan(rows.value)
    linked[1:] = (rows.series[1:] == rows.series[:-1]) & known[1:] & known[:-1]
    return linked
