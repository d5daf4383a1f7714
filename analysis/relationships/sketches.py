"""What is kept of a column's values so that it can be compared with columns of other datasets later.

A bottom-k MinHash: the k least 64-bit hashes of the different values are a random sample of these values, and the same
values are drawn from every column that has them (Broder, "On the resemblance and containment of documents", 1997;
Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np

from analysis.columns import Array
from analysis.proportions import wilson

# 4 KiB a column; containment is told to within 0.05 where both columns have as many values.
KEPT = 512


class ValueClass(StrEnum):
    """Only values of one class are compared with each other."""

    WHOLE = "whole"
    FRACTION = "fraction"
    TEXT = "text"
    BOOLEAN = "boolean"
    DAY = "day"
    MOMENT = "moment"


class ColumnSketch(msgspec.Struct, frozen=True):
    """A column in a few KiB, to be stored with its profile (msgspec makes JSON of it, and reads it back).

    `least` holds the least hashes as little-endian uint64, rising. `minimum` and `maximum` of numbers are the values,
    of times days or microseconds since 1970; `density` is which share
    of the possible whole values occurs where the values lie densest. `sampled`: made of some rows of the dataset only.
    """

    dataset: str
    column: str
    value_class: ValueClass
    rows: int
    nulls: int
    distinct: int
    least: bytes
    minimum: float | None = None
    maximum: float | None = None
    density: float = 1.0
    sampled: bool = False

    @property
    def hashes(self) -> Array:
        return np.frombuffer(self.least, dtype="<u8")

    @property
    def complete(self) -> bool:
        """Whether no value was left out."""
        return len(self.least) // 8 >= self.distinct

    @property
    def unique(self) -> bool:
        return self.distinct == self.rows - self.nulls > 0


def least_hashes(hashes: Array, kept: int = KEPT) -> bytes:
    """Of hashes that are all different."""
    least = np.partition(hashes, kept)[:kept] if len(hashes) > kept else hashes
    return np.sort(least).astype("<u8").tobytes()


@dataclass(frozen=True, slots=True)
class Containment:
    """Which share of the different values of one column another has, with bounds of 95 % confidence.

    `compared` values stand behind it; `exact` where these are all."""

    share: float
    low: float
    high: float
    compared: int
    exact: bool


def containment(inner: ColumnSketch, outer: ColumnSketch) -> Containment:
    """How much of `inner` is in `outer`: below the lesser of both greatest hashes each sketch has all there is."""
    mine, theirs = inner.hashes, outer.hashes
    limits = [hashes[-1] for sketch, hashes in ((inner, mine), (outer, theirs)) if not sketch.complete]
    if limits:
        mine = mine[mine <= min(limits)]
    common = int(np.count_nonzero(np.isin(mine, theirs, assume_unique=True)))
    if not limits:
        share = common / len(mine) if len(mine) else 0.0
        return Containment(share, share, share, len(mine), exact=True)
    low, high = wilson(common, len(mine))
    return Containment(common / len(mine) if len(mine) else 0.0, low, high, len(mine), exact=False)
