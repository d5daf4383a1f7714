"""Reading: what is in chunks and what is in batches yet, put together.

Rolled-up rows answer for windows that are closed. Windows that are still written to, those with late samples, and those
after them (a counter's first increase needs the sample before) are rolled up from their samples while they are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.samples import chunks
from storage.samples.chunks import GROUP_BITS, WINDOW_MS, Chunk
from storage.samples.closing import together
from storage.samples.columns import COUNTER, Batch, Series
from storage.samples.grouping import Columns, Owners, chosen, in_order, newest, no_columns, stretches
from storage.samples.policy import Tier
from storage.samples.rollup import Rollup, empty_rollup, roll_up
from storage.samples.tail import Tail, columns_of

# More rows than this are decoded beside the event loop.
LARGE = 20_000

# Windows are counted from 1970; a number of a group and one of a window make one number.
_WINDOWS = 1 << 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which samples somebody wants: of which series, from `start_ms` to below `end_ms`."""

    series: Sequence[Series]
    start_ms: int
    end_ms: int

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of the series, in order."""
        return np.array(sorted(one.id for one in self.series), np.int64)

    @property
    def groups(self) -> list[int]:
        """The groups that the series are in, in order."""
        return chunks.groups_of(one.id for one in self.series)

    @property
    def counters(self) -> NDArray[np.int64]:
        """The ids of the series that are counters."""
        return np.array(sorted(one.id for one in self.series if one.key.kind == COUNTER), np.int64)


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that hold what is wanted. `live` are the groups and windows that are rolled up from samples."""

    samples: list[Chunk]
    batches: list[Batch]
    rollups: list[Chunk]
    live: set[tuple[int, int]]

    @property
    def points(self) -> int:
        """How much there is to decode."""
        return sum(chunk.points for chunk in (*self.samples, *self.rollups))


async def find_samples(connection: AsyncConnection, tail: Tail, wanted: Wanted) -> Found:
    """What `samples_of` needs."""
    rows = await chunks.fetch(connection, wanted.groups, 0, wanted.start_ms, wanted.end_ms)
    return Found(rows, await _batches(connection, tail, wanted, wanted.start_ms), [], set())


async def find_rollup(connection: AsyncConnection, tail: Tail, wanted: Wanted, tier: Tier) -> Found:
    """What `rollup_of` needs. The times wanted are whole steps of the tier."""
    groups = wanted.groups
    first = chunks.window_of(wanted.start_ms)
    batches = await _batches(connection, tail, wanted, first - WINDOW_MS)
    written = await chunks.open_windows(connection, groups, first - WINDOW_MS, wanted.end_ms) if groups else set()
    written |= _windows_of(batches, wanted)
    live = {(group, at) for group, window in written for at in (window, window + WINDOW_MS)}
    live = {(group, window) for group, window in live if first <= window < wanted.end_ms}
    needed = live | {(group, window - WINDOW_MS) for group, window in live}
    windows = sorted({window for _, window in needed})
    samples = await chunks.fetch_windows(connection, sorted({group for group, _ in needed}), 0, windows)
    samples = [chunk for chunk in samples if (chunk.group_id, chunk.start_ms) in needed]
    rollups = await chunks.fetch(connection, groups, tier.number, wanted.start_ms, wanted.end_ms)
    return Found(samples, batches, rollups, live)


async def _batches(connection: AsyncConnection, tail: Tail, wanted: Wanted, start_ms: int) -> list[Batch]:
    sources = sorted({one.source_id for one in wanted.series})
    return [
        batch for source_id in sources for batch in await tail.unsealed(connection, source_id, start_ms, wanted.end_ms)
    ]


def _windows_of(batches: Sequence[Batch], wanted: Wanted) -> set[tuple[int, int]]:
    """The groups and windows that samples of batches are in, of groups that are wanted."""
    groups = np.array(wanted.groups, np.int64)
    found: set[tuple[int, int]] = set()
    for batch in batches:
        group = batch.series_ids >> GROUP_BITS
        is_wanted = np.isin(group, groups)
        pairs = np.stack([group[is_wanted], batch.at_ms[is_wanted] // WINDOW_MS * WINDOW_MS])
        found.update(zip(*np.unique(pairs, axis=1).tolist(), strict=True))
    return found


def samples_of(found: Found, wanted: Wanted) -> Columns:
    """The samples, by series and time."""
    owner, at_ms, value = _joined(list(_by_group(found, wanted)))
    is_inside = (at_ms >= wanted.start_ms) & (at_ms < wanted.end_ms)
    return chosen((owner, at_ms, value), slice(None) if np.all(is_inside) else is_inside)


def rollup_of(found: Found, wanted: Wanted, tier: Tier) -> tuple[Owners, Rollup]:
    """The buckets, by series and time, and whose they are."""
    ids, counters = wanted.ids, wanted.counters
    parts = []
    for chunk in found.rollups:
        owner, rollup = chunks.rollup_in(chunk)
        rows = np.isin(owner, ids) & ~_among(owner, rollup, found.live)
        parts.append((owner[rows], rollup.rows(rows)))
    for columns in _by_group(found, wanted) if found.live else ():
        owner, rollup = roll_up(*columns, np.isin(columns[0], counters), tier.step_ms)
        rows = _among(owner, rollup, found.live)
        parts.append((owner[rows], rollup.rows(rows)))
    owner, rollup = together(parts) if parts else (np.empty(0, np.int64), empty_rollup())
    rows = (rollup.start_ms >= wanted.start_ms) & (rollup.start_ms < wanted.end_ms)
    return owner[rows], rollup.rows(rows)


def _by_group(found: Found, wanted: Wanted) -> Iterator[Columns]:
    """The samples of one group after the other, in order: what is looked at together stays in the processor's cache."""
    ids = wanted.ids
    recent = in_order([_chosen_of(columns_of(batch), ids) for batch in found.batches])
    by_group: dict[int, list[Columns]] = {}
    for chunk in found.samples:
        by_group.setdefault(chunk.group_id, []).append(_of_chunk(chunk, found, ids))
    for group, rows in stretches(recent[0] >> GROUP_BITS).items():
        by_group.setdefault(group, []).append(chosen(recent, rows))
    for group in sorted(by_group):
        yield in_order(by_group.pop(group))


def _chosen_of(columns: Columns, ids: NDArray[np.int64]) -> Columns:
    return chosen(columns, np.isin(columns[0], ids))


def _joined(parts: list[Columns]) -> Columns:
    if not parts:
        return no_columns()
    owner, at_ms, value = map(np.concatenate, zip(*parts, strict=True))
    return owner, at_ms, value


def _of_chunk(chunk: Chunk, found: Found, ids: NDArray[np.int64]) -> Columns:
    """The samples of the series that are wanted; of a window before one that is rolled up, only the last of each."""
    columns = chunks.samples_in(chunk)
    if found.live and (chunk.group_id, chunk.start_ms) not in found.live:
        columns = newest(columns)
    first = chunk.group_id << GROUP_BITS
    beyond = first + (1 << GROUP_BITS)
    wanted = ids[np.searchsorted(ids, first) : np.searchsorted(ids, beyond)]
    if len(wanted) == beyond - first:
        return columns
    is_wanted = np.zeros(beyond - first, np.bool_)
    is_wanted[wanted - first] = True
    return chosen(columns, is_wanted[columns[0] - first])


def _among(owner: Owners, rollup: Rollup, windows: set[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which buckets are of these groups and windows."""
    groups = sorted({group for group, _ in windows})
    places = {group: place for place, group in enumerate(groups)}
    codes = [places[group] * _WINDOWS + window // WINDOW_MS for group, window in windows]
    group = owner >> GROUP_BITS
    known = np.isin(group, groups)
    code = np.searchsorted(groups, group) * _WINDOWS + rollup.start_ms // WINDOW_MS
    among: NDArray[np.bool_] = known & np.isin(code, codes)
    return among
