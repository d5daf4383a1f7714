"""Several series as one: what they are together at each time, and of how many that is not known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix

# Of these, a series that is missing would look like a fall.
SUMS = frozenset({"sum", "rate", "increase"})


def combined(values: Matrix, groups: NDArray[np.int64], count: int, how: str, *, skip: bool = False) -> Matrix:
    """A row for each of `count` groups, whose number each row of `values` has: sum, avg, min, max, count or a quantile.

    `how` is one of these words (rate and increase are sums) or `p` and a percentage. NaN where no member has a value,
    and in sums where a member is `missing`, unless `skip`: what is not known is not zero.
    """
    made = np.full((count, values.shape[1]), np.nan)
    for group in range(count):
        members = values[groups == group]
        if len(members):
            made[group] = _one(members, how)
    if how in SUMS and not skip:
        made[missing(values, groups, count) > 0] = np.nan
    return made


def missing(values: Matrix, groups: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """How many series of each group lack a value at each time, between their own first and last one."""
    known = ~np.isnan(values)
    begun = np.maximum.accumulate(known, axis=1)
    ended = np.maximum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    lacking = begun & ended & ~known
    made = np.zeros((count, values.shape[1]), np.int64)
    if len(groups):
        order = np.argsort(groups, kind="stable")
        begins = np.flatnonzero(np.diff(groups[order], prepend=-1))
        made[groups[order][begins]] = np.add.reduceat(lacking[order], begins, axis=0, dtype=np.int64)
    return made


def _one(members: Matrix, how: str) -> NDArray[np.float64]:
    known = ~np.isnan(members)
    counts = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        match how:
            case "count":
                made = counts.astype(float)
            case "min":
                made = np.fmin.reduce(members, axis=0)
            case "max":
                made = np.fmax.reduce(members, axis=0)
            case "avg":
                made = np.where(known, members, 0.0).sum(axis=0) / counts
            case "sum" | "rate" | "increase":
                made = np.where(known, members, 0.0).sum(axis=0)
            case _:
                made = _quantile(members, counts, float(how.removeprefix("p")) / 100.0)
    made[counts == 0] = np.nan
    return np.asarray(made)


def _quantile(members: Matrix, counts: NDArray[np.int64], q: float) -> NDArray[np.float64]:
    """Between the two nearest by rank, as numpy's default has it, of the values that there are."""
    ranked = np.sort(members, axis=0)  # NaN last
    place = q * np.maximum(counts - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(counts - 1, 0))
    below, above = (np.take_along_axis(ranked, rank[None, :], axis=0)[0] for rank in (low, high))
    share = place - low
    # Equal ones are themselves, infinities too.
    between = below + (above - below) * share
    return np.asarray(np.where((share == 0) | (below == above), below, between), np.float64)


def newest(values: Matrix, at_ms: Matrix, groups: NDArray[np.int64], count: int) -> Matrix:
    """For each group the value of whichever series has the newest sample at each time; NaN where none has one."""
    made = np.full((count, values.shape[1]), np.nan)
    at = np.where(np.isnan(values), -np.inf, at_ms)
    for group in range(count):
        members = np.flatnonzero(groups == group)
        if len(members):
            chosen = members[np.argmax(at[members], axis=0)]
            made[group] = values[chosen, np.arange(values.shape[1])]
    return made
