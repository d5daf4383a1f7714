"""What samples come to in buckets of time.

Counters are looked at before they are summed up: an increase is that between two samples of the same series with no
marker between and no decrease. It belongs to the bucket of the later one, so that increases of buckets add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.samples.columns import Times, Values

# Bits of `Rollup.gaps`.
HAS_MARKER = 1
ENDS_UNKNOWN = 2
HAS_RESET = 4

# Two samples further apart say nothing about the time between.
MAX_PAIR_MS = 6 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Rollup:
    """Buckets of one series that have samples or markers, by time.

    `increase` is a counter's, over the `observed_ms` that lie between the samples it was computed from: their quotient
    is the rate. Without samples `count` is 0, and minimum, maximum and last are NaN. `gaps` has the bits above.
    """

    start_ms: Times
    count: NDArray[np.int64]
    sum: Values
    min: Values
    max: Values
    last: Values
    increase: Values
    observed_ms: NDArray[np.int64]
    gaps: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start_ms)

    def rows(self, chosen: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Rollup:
        """These buckets only."""
        return Rollup(*(getattr(self, name)[chosen] for name in FIELDS))


FIELDS = tuple(Rollup.__dataclass_fields__)


def empty_rollup() -> Rollup:
    """No buckets."""
    none = np.empty(0)
    whole = np.empty(0, np.int64)
    return Rollup(whole, whole, none, none, none, none, none, whole, np.empty(0, np.uint8))


# Infinities, and markers that other systems send as signals, are samples like others.
_quiet = np.errstate(invalid="ignore", over="ignore")


@_quiet
def roll_up(
    owner: NDArray[np.int64], at_ms: Times, value: Values, is_counter: NDArray[np.bool_], step_ms: int
) -> tuple[NDArray[np.int64], Rollup]:
    """Buckets of many series at once: the owner of each bucket, and the buckets.

    Samples are sorted by their owner, then by time; `is_counter` has one item each a sample.
    """
    if not len(at_ms):
        return np.empty(0, np.int64), empty_rollup()
    known = ~np.isnan(value)
    bucket = at_ms // step_ms
    begins = np.flatnonzero(np.r_[True, (np.diff(bucket) != 0) | (np.diff(owner) != 0)])
    grown, observed, reset = _pairs(owner, at_ms, value, is_counter, known)
    count = np.add.reduceat(known.astype(np.int64), begins)
    rollup = Rollup(
        start_ms=bucket[begins] * step_ms,
        count=count,
        sum=_sums(np.where(known, value, 0.0), begins),
        min=np.fmin.reduceat(value, begins),
        max=np.fmax.reduceat(value, begins),
        last=_last_known(value, known, begins, count),
        increase=_sums(grown, begins),
        observed_ms=np.add.reduceat(observed, begins),
        gaps=_gaps(known, reset, begins),
    )
    return owner[begins], rollup


@_quiet
def merged(owner: NDArray[np.int64], rollup: Rollup, step_ms: int) -> tuple[NDArray[np.int64], Rollup]:
    """The buckets of a wider step, each of whole buckets of the narrower one, in the same order."""
    if not len(rollup):
        return owner, rollup
    bucket = rollup.start_ms // step_ms
    begins = np.flatnonzero(np.r_[True, (np.diff(bucket) != 0) | (np.diff(owner) != 0)])
    ends = np.r_[begins[1:], len(bucket)] - 1
    passing = np.bitwise_or.reduceat(rollup.gaps & (HAS_MARKER | HAS_RESET), begins)
    count = np.add.reduceat(rollup.count, begins)
    wider = Rollup(
        start_ms=bucket[begins] * step_ms,
        count=count,
        sum=_sums(rollup.sum, begins),
        min=np.fmin.reduceat(rollup.min, begins),
        max=np.fmax.reduceat(rollup.max, begins),
        last=_last_known(rollup.last, rollup.count > 0, begins, count),
        increase=_sums(rollup.increase, begins),
        observed_ms=np.add.reduceat(rollup.observed_ms, begins),
        gaps=(passing | (rollup.gaps[ends] & ENDS_UNKNOWN)).astype(np.uint8),
    )
    return owner[begins], wider


def _pairs(
    owner: NDArray[np.int64], at_ms: Times, value: Values, is_counter: NDArray[np.bool_], known: NDArray[np.bool_]
) -> tuple[Values, NDArray[np.int64], NDArray[np.bool_]]:
    """Of each sample: the increase since the one before, the time since then, and whether the counter began anew."""
    grown = np.zeros(len(value))
    observed = np.zeros(len(value), np.int64)
    reset = np.zeros(len(value), np.bool_)
    apart = np.diff(at_ms)
    change = np.diff(value)
    counts = is_counter[1:]
    pair = (owner[1:] == owner[:-1]) & known[1:] & known[:-1] & (apart <= MAX_PAIR_MS)
    # Infinity less infinity is not a number.
    fell = pair & counts & ~(change >= 0)
    pair &= ~fell
    observed[1:][pair] = apart[pair]
    counted = pair & counts
    grown[1:][counted] = change[counted]
    reset[1:] = fell
    return grown, observed, reset


def _sums(value: Values, begins: NDArray[np.int64]) -> Values:
    sums: Values = np.add.reduceat(value, begins)
    return sums


def _last_known(value: Values, known: NDArray[np.bool_], begins: NDArray[np.int64], count: NDArray[np.int64]) -> Values:
    places = np.maximum.reduceat(np.where(known, np.arange(len(value)), -1), begins)
    last: Values = np.where(count > 0, value[places], np.nan)
    return last


def _gaps(known: NDArray[np.bool_], reset: NDArray[np.bool_], begins: NDArray[np.int64]) -> NDArray[np.uint8]:
    ends = np.r_[begins[1:], len(known)] - 1
    gaps = np.logical_or.reduceat(~known, begins) * HAS_MARKER
    gaps += ~known[ends] * ENDS_UNKNOWN
    gaps += np.logical_or.reduceat(reset, begins) * HAS_RESET
    return gaps.astype(np.uint8)
