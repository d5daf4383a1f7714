"""How many different values there are, from the least of their hashes.

The k minimum values of Bar-Yossef and others ("Counting distinct elements in a data stream", 2002): of evenly spread
hashes the k-th least tells how dense they lie. Exact as long as there are fewer than k different values; else the
standard error is 1 / sqrt(k - 2). Sketches of parts join into that of the whole, in any order, to the same answer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np

from analysis.columns import INT64_MAX, INT64_MIN, Array

CONFIDENCE = 0.99
_DEVIATIONS = 2.576  # of a normal distribution, for 99 % between both sides

# 512 KiB of hashes; with them 1 % of error at 99 % confidence.
KEPT = 65_536

_EXPONENT_OFFSET = 0x5BD1E9955BD1E995

_ALL = np.uint64(2**64 - 1)


class DistinctSketch:
    """Fed with hashes of `hashes_of_numbers` or `hashes_of_texts`."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._least = np.empty(0, dtype=np.uint64)
        self._waiting: list[Array] = []
        self._limit = _ALL

    def add(self, hashes: Array) -> None:
        fresh = hashes if self._limit == _ALL else hashes[hashes < self._limit]
        if len(fresh):
            self._waiting.append(fresh)
        if sum(map(len, self._waiting)) > self._kept:
            self._settle()

    def merge(self, other: DistinctSketch) -> None:
        other._settle()
        self.add(other._least)
        self._settle()

    @property
    def exact(self) -> bool:
        self._settle()
        return len(self._least) < self._kept

    def count(self) -> int:
        self._settle()
        if self.exact:
            return len(self._least)
        return round((self._kept - 1) / (float(self._least[-1]) / 2.0**64))

    def relative_error(self) -> float:
        """With CONFIDENCE; 0 where the count is exact (but for two values of one 64-bit hash)."""
        return 0.0 if self.exact else _DEVIATIONS / math.sqrt(self._kept - 2)

    def _settle(self) -> None:
        if self._waiting:
            self._least = np.unique(np.concatenate([self._least, *self._waiting]))[: self._kept]
            self._waiting = []
        if len(self._least) == self._kept:
            self._limit = self._least[-1]


def hashes_of_numbers(values: Array) -> Array:
    """64-bit hashes. Equal numbers of one column hash equally, whichever array they came in."""
    if values.dtype == object:
        small = np.array([INT64_MIN <= value <= INT64_MAX for value in values], dtype=bool)
        hashes = np.empty(len(values), dtype=np.uint64)
        hashes[small] = hashes_of_numbers(values[small].astype(np.int64))
        hashes[~small] = hashes_of_texts(str(value) for value in values[~small])
        return hashes
    if values.dtype.kind == "f":
        values = values + 0.0  # the two zeros are one value
    return _mixed(values.view(np.uint64))


def hashes_of_decimals(values: Array, scale: int) -> Array:
    """Of numbers that were multiplied by 10**scale: 1.5 and 1.50 hash equally."""
    zeros = np.zeros(len(values), dtype=np.int64)
    tens = (values != 0) & (values % 10 == 0)
    while tens.any():
        values, zeros = np.where(tens, values // 10, values), zeros + tens
        tens = (values != 0) & (values % 10 == 0)
    # Far from every number, or 1 times 10**2 would hash like 2 times 10**1.
    exponents = np.where(values == 0, 0, zeros - scale) + _EXPONENT_OFFSET
    return _mixed(hashes_of_numbers(values) ^ _mixed(exponents.astype(np.int64).view(np.uint64)))


def _mixed(bits: Array) -> Array:
    """Every bit of the input turns half of the bits of the output: the finalizer of SplitMix64."""
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def hashes_of_texts(values: Iterable[str | bytes]) -> Array:
    """The same in every process, unlike `hash`."""
    return np.fromiter((_text_hash(value) for value in values), dtype=np.uint64)


def _text_hash(value: str | bytes) -> int:
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")
