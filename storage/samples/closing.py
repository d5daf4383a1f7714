"""Closing a window of a group: its parts become one, and what they come to is written to each tier.

It is done again when late samples come, from all of the window's samples, and gives the same rows for the same samples.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from storage.samples import chunks
from storage.samples.chunks import GROUP_BITS, STORED_MS, WINDOW_MS, Chunk, samples_in
from storage.samples.grouping import Owners, chosen, in_order, newest, order_of
from storage.samples.policy import MINUTE_MS, STEPS_MS
from storage.samples.rollup import FIELDS, Rollup, merged, roll_up

# More samples in one chunk would make whoever wants a few of them wait.
MOST_POINTS = 64 * 1024

# Windows with more samples are looked at piece by piece.
_WHOLE = 1_000_000
_PIECE_MS = 15 * MINUTE_MS

# A tier's parts are merged when there are so many: once a day.
_PARTS = 4


class Window(NamedTuple):
    """What closing a window needs: its parts, those of the window before, those of each tier's window."""

    group_id: int
    start_ms: int
    parts: Sequence[Chunk]
    before: Sequence[Chunk]
    tiers: Sequence[Sequence[Chunk]]


class Closed(NamedTuple):
    """Rows that go, and rows that come."""

    old: list[Chunk]
    new: list[Chunk]


def close(window: Window, following: Window, counters: Collection[int]) -> Closed:
    """The window's rows once it is closed. `counters` are the ids of series that are counters. Computes only.

    Where the window after it was closed before, the samples are late, and its first increases are others now.
    """
    samples = gathered(window.parts, is_open=False)
    tiers = rolled_up(window, counters)
    if following.parts and not any(part.is_open for part in following.parts):
        again = following._replace(
            before=window.parts, tiers=[_after(tiers, rows, at) for at, rows in enumerate(following.tiers, 1)]
        )
        tiers = _both(tiers, rolled_up(again, counters))
    return Closed(samples.old + tiers.old, samples.new + tiers.new)


def _after(closed: Closed, rows: Sequence[Chunk], tier: int) -> list[Chunk]:
    """The rows of a tier's window as they are after a change, which may be one of another window."""
    # The window is told by its rows: there are some, since it was closed before.
    start_ms = rows[0].start_ms
    changed = [row for row in rows if row not in closed.old]
    return changed + [row for row in closed.new if (row.tier, row.start_ms) == (tier, start_ms)]


def _both(first: Closed, second: Closed) -> Closed:
    """One change after the other, as one."""
    old = first.old + [row for row in second.old if row not in first.new]
    return Closed(old, [row for row in first.new if row not in second.old] + second.new)


def rolled_up(window: Window, counters: Collection[int]) -> Closed:
    """The rows of the tiers that the window's samples come to."""
    old, new = [], []
    owner, rollup = _minutes(window, np.array(sorted(counters), np.int64))
    for tier, parts in enumerate(window.tiers, 1):
        owner, rollup = merged(owner, rollup, STEPS_MS[tier])
        gone, come = _added(window, tier, parts, owner, rollup)
        old += gone
        new += come
    return Closed(old, new)


def gathered(parts: Sequence[Chunk], *, is_open: bool) -> Closed:
    """Neighbouring parts of samples merged, as long as there are not too many samples for one."""
    old, new = [], []
    run: list[Chunk] = []
    for part in [*parts, None]:
        if run and (part is None or sum(one.points for one in run) + part.points > MOST_POINTS):
            if len(run) > 1 or run[0].is_open != is_open:
                old += run
                columns = in_order([samples_in(one) for one in run])
                new.append(chunks.of_samples(run[0].group_id, run[-1].part, columns, is_open=is_open))
            run = []
        if part is not None:
            run.append(part)
    return Closed(old, new)


def _minutes(window: Window, counters: Owners) -> tuple[Owners, Rollup]:
    """What the window's samples come to each minute."""
    step_ms = STEPS_MS[1]
    last = newest(in_order([samples_in(part) for part in window.before]))
    found = []
    for start_ms, end_ms in _pieces(window):
        parts = [samples_in(part) for part in window.parts if part.first_ms < end_ms and part.last_ms >= start_ms]
        columns = in_order(parts)
        columns = chosen(columns, (columns[1] >= start_ms) & (columns[1] < end_ms))
        with_last = in_order([last, columns])
        owner, rollup = roll_up(*with_last, np.isin(with_last[0], counters), step_ms)
        inside = rollup.start_ms >= start_ms
        found.append((owner[inside], rollup.rows(inside)))
        last = newest(with_last)
    return together(found)


def _pieces(window: Window) -> list[tuple[int, int]]:
    end_ms = window.start_ms + WINDOW_MS
    if sum(part.points for part in window.parts) <= _WHOLE:
        return [(window.start_ms, end_ms)]
    return [(at, at + _PIECE_MS) for at in range(window.start_ms, end_ms, _PIECE_MS)]


def together(parts: Sequence[tuple[Owners, Rollup]]) -> tuple[Owners, Rollup]:
    """Buckets of all parts in order; of the same owner and start the one of the last part counts."""
    if len(parts) == 1:
        return parts[0]
    owner = np.concatenate([owner for owner, _ in parts])
    rollup = Rollup(*(np.concatenate([getattr(part, name) for _, part in parts]) for name in FIELDS))
    order = order_of(owner, rollup.start_ms)
    return owner[order], rollup.rows(order)


def _added(window: Window, tier: int, parts: Sequence[Chunk], owner: Owners, rollup: Rollup) -> Closed:
    """The buckets as one more part of the tier's window, or in the place of all its parts."""
    number = max((part.part for part in parts), default=0) + 1
    is_last = window.start_ms + WINDOW_MS >= chunks.window_of(window.start_ms, tier) + STORED_MS[tier]
    if len(parts) + 1 < _PARTS and not (is_last and parts):
        return Closed([], [chunks.of_rollup(window.group_id, tier, number, owner, rollup)])
    owner, rollup = together([*(chunks.rollup_in(part) for part in parts), (owner, rollup)])
    return Closed(list(parts), [chunks.of_rollup(window.group_id, tier, number, owner, rollup)])


def series_ids(group_id: int) -> range:
    """The ids that series of a group can have."""
    return range(group_id << GROUP_BITS, (group_id + 1) << GROUP_BITS)
