"""Two columns that both change with time go together without having anything to do with each other. Their first
differences in the order of time do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.associations.columns import Numbers
from analysis.columns import Array
from analysis.frames import Frame, FrameColumn, Role

FEWEST_STAMPS = 10
MOST_DIFFERENCES = 100_000
# A correlation weaker than this needs no guard.
GUARDED = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """The rows in the order of a column of times. `starts` are where a new stamp begins among them, None where no stamp
    is repeated. `kept` are the differences used, None for all."""

    name: str
    order: Array
    starts: Array | None
    kept: Array | None

    def differences(self, values: Array) -> Array:
        """From one stamp to the next; of means where rows share a stamp. NaN where either is null."""
        ordered = values[self.order]
        if self.starts is not None:
            there = ~np.isnan(ordered)
            sums = np.add.reduceat(np.where(there, ordered, 0.0), self.starts)
            counts = np.add.reduceat(there.astype(np.float64), self.starts)
            ordered = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        steps = np.diff(ordered)
        return steps if self.kept is None else steps[self.kept]


def clock_of(frame: Frame, name: str | None, random: np.random.Generator) -> Clock | None:
    """By the column of this name, or the one of times with the most values; None where none orders the rows."""
    column = _column(frame, name)
    if column is None:
        return None
    ticks = column.values.astype("datetime64[us]").view(np.int64)
    rows = np.flatnonzero(column.present)
    order = rows[np.argsort(ticks[rows], kind="stable")]
    stamps = ticks[order]
    starts = np.flatnonzero(np.concatenate([[True], stamps[1:] != stamps[:-1]])) if len(stamps) else stamps
    if len(starts) < FEWEST_STAMPS:
        return None
    steps = len(starts) - 1
    kept = np.sort(random.choice(steps, MOST_DIFFERENCES, replace=False)) if steps > MOST_DIFFERENCES else None
    return Clock(column.name, order, starts if len(starts) < len(order) else None, kept)


def _column(frame: Frame, name: str | None) -> FrameColumn | None:
    times = [column for column in frame.of_role(Role.TIME) if name in (None, column.name)]
    return min(times, key=lambda column: column.nulls, default=None)


def differenced(columns: Sequence[Numbers], clock: Clock, check: Callable[[], None]) -> list[Numbers]:
    """The columns of first differences."""
    found = []
    for column in columns:
        check()
        steps = clock.differences(column.values)
        present = len(steps) - int(np.count_nonzero(np.isnan(steps)))
        found.append(Numbers(replace(column.told, rows_with_value=present), steps))
    return found


def is_only_trend(strength: float, low: float, high: float, sign: float) -> bool:
    """Whether the differences surely go together less than half as much as the levels, or the other way round.

    `strength` and `sign` are of the levels' correlation, `low` and `high` the interval of the differences'.
    """
    is_opposite = max(low * sign, high * sign) < 0
    return strength >= GUARDED and (is_opposite or max(abs(low), abs(high)) < strength / 2)
