"""Samples of many series in any order, brought into order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.samples.columns import Times, Values


def in_order(owner: NDArray[np.int64], at_ms: Times, value: Values) -> tuple[NDArray[np.int64], Times, Values]:
    """Sorted by owner, then by time; of several samples of the same owner and time the last one given is left."""
    same_owner = owner[1:] == owner[:-1]
    if not np.all((owner[1:] > owner[:-1]) | (same_owner & (at_ms[1:] > at_ms[:-1]))):
        order = np.lexsort((at_ms, owner))
        owner, at_ms, value = owner[order], at_ms[order], value[order]
        is_last = np.r_[(owner[1:] != owner[:-1]) | (at_ms[1:] != at_ms[:-1]), True][: len(owner)]
        owner, at_ms, value = owner[is_last], at_ms[is_last], value[is_last]
    return owner, at_ms, value


def stretches(owner: NDArray[np.int64]) -> dict[int, slice]:
    """Where each owner's items are, of items that are sorted by their owner."""
    if not len(owner):
        return {}
    begins = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    ends = np.r_[begins[1:], len(owner)]
    return {int(owner[begin]): slice(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)}
