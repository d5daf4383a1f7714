"""Rows of many series in any order, brought into order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.samples.columns import Times, Values

Owners = NDArray[np.int64]
Columns = tuple[Owners, Times, Values]


def no_columns() -> Columns:
    """No samples."""
    return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)


def order_of(owner: Owners, at_ms: Times) -> NDArray[np.int64] | slice:
    """Where the rows are, by owner, then by time; of several of the same owner and time only the last one given."""
    if _are_in_order(owner, at_ms):
        return slice(None)
    # Mostly each part goes on where the one before ended, so that each owner's rows are by time already.
    order = _by_owner(owner)
    if _are_in_order(owner[order], at_ms[order]):
        return order
    order = np.lexsort((at_ms, owner))
    owner, at_ms = owner[order], at_ms[order]
    return order[np.r_[(owner[1:] != owner[:-1]) | (at_ms[1:] != at_ms[:-1]), True]]


def _are_in_order(owner: Owners, at_ms: Times) -> bool:
    later = at_ms[1:] > at_ms[:-1]
    return bool(np.all((owner[1:] > owner[:-1]) | ((owner[1:] == owner[:-1]) & later)))


def _by_owner(owner: Owners) -> NDArray[np.int64]:
    """In their order for each owner."""
    codes = owner - owner.min()
    # Numbers of two bytes are sorted without being compared.
    return np.argsort(codes.astype(np.int16) if codes.max() < 2**15 else codes, kind="stable")


def in_order(parts: list[Columns]) -> Columns:
    """The samples of all parts, by owner and time; of the same owner and time the one of the last part counts."""
    if not parts:
        return no_columns()
    owner, at_ms, value = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    order = order_of(owner, at_ms)
    return owner[order], at_ms[order], value[order]


def chosen(columns: Columns, rows: NDArray[np.bool_] | slice) -> Columns:
    """These rows only."""
    owner, at_ms, value = columns
    return owner[rows], at_ms[rows], value[rows]


def newest(columns: Columns) -> Columns:
    """The last sample of each owner."""
    owner = columns[0]
    if not len(owner):
        return no_columns()
    return chosen(columns, np.r_[owner[1:] != owner[:-1], True])


def stretches(owner: Owners) -> dict[int, slice]:
    """Where each owner's rows are, of rows that are sorted by their owner."""
    if not len(owner):
        return {}
    begins = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    ends = np.r_[begins[1:], len(owner)]
    return {int(owner[begin]): slice(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)}


def spans_of(columns: Columns) -> dict[int, tuple[int, int]]:
    """The first and last times of each owner, of samples in order."""
    _, at_ms, _ = columns
    rows = stretches(columns[0])
    return {owner: (int(at_ms[part.start]), int(at_ms[part.stop - 1])) for owner, part in rows.items()}
