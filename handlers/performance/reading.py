"""Values over a grid from the samples that are stored here: read, and computed off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix
from analysis.timeseries.counters import grown
from analysis.timeseries.gauges import summarised
from analysis.timeseries.grid import Grid
from analysis.timeseries.rollups import How, RollupRows, of_rollups
from analysis.timeseries.rows import Rows, longest_hold
from handlers.performance.questions import Bucket
from handlers.performance.selectors import Selector, chosen
from storage.samples.columns import Samples, Series
from storage.samples.policy import Tier
from storage.samples.rollup import ENDS_UNKNOWN, Rollup
from storage.samples.store import SampleStore

# What a matrix holds: how samples become a value, or when the newest of them was, in ms.
Wanted = Bucket | str
NEWEST = "newest"
_GROWTHS = ("rate", "increase")
# Fewer rows are computed sooner than a thread is found.
_AT_ONCE = 20_000

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Layer:
    """One value of each step for each of some series: `wanted` of the series at the same place."""

    wanted: tuple[Wanted, ...]


class Reader(Protocol):
    """Where measurements are read from."""

    def best_tier(self, step_ms: int, start_ms: int) -> Tier:
        """What steps from a time on are computed from; its number is below 0 where another store computes them."""

    async def find(self, source_id: int, selectors: Sequence[Selector] | None) -> list[Series]:
        """The series of the source that the selectors are about, all where there are none, ordered by metric and
        labels. Raises InvalidRequest."""

    async def read(
        self, series: Sequence[Series], layers: Mapping[str, Layer], grid: Grid, tier: Tier
    ) -> dict[str, Matrix]:
        """For each layer a row a series, a column a step: NaN where nothing is known."""


class StoredReader:
    """The samples that are stored here."""

    def __init__(self, store: SampleStore) -> None:
        self._store = store

    def best_tier(self, step_ms: int, start_ms: int) -> Tier:
        return self._store.best_tier(step_ms, start_ms)

    async def find(self, source_id: int, selectors: Sequence[Selector] | None) -> list[Series]:
        return await find_series(self._store, source_id, selectors)

    async def read(
        self, series: Sequence[Series], layers: Mapping[str, Layer], grid: Grid, tier: Tier
    ) -> dict[str, Matrix]:
        return await read_layers(self._store, series, layers, grid, tier)


async def find_series(store: SampleStore, source_id: int, selectors: Sequence[Selector] | None) -> list[Series]:
    """See `Reader.find`."""
    if selectors is None:
        series = await store.series(source_id)
        return sorted(series, key=lambda each: (each.key.metric, each.key.labels))
    if all(selector.is_exact for selector in selectors):
        known = [await store.series(source_id, name) for name in {selector.name for selector in selectors}]
        candidates = [each for some in known for each in some]
    else:
        candidates = await store.series(source_id)
    # Expressions are of strangers, and sets of labels many.
    return await asyncio.to_thread(chosen, candidates, selectors)


async def read_layers(
    store: SampleStore, series: Sequence[Series], layers: Mapping[str, Layer], grid: Grid, tier: Tier
) -> dict[str, Matrix]:
    """See `Reader.read`."""
    longest = longest_hold(grid.step_ms)
    # What lies between two samples is told by the later one.
    start_ms, end_ms = grid.start_ms - 2 * longest, grid.end_ms + longest
    if tier.number == 0:
        samples = await store.read(series, start_ms, end_ms)
        size = sum(len(each.at_ms) for each in samples.values())
        return await _computed(size, lambda: _of_samples(series, samples, layers, grid))
    rollups = await store.read_rollup(series, start_ms, end_ms, tier)
    size = sum(len(each) for each in rollups.values())
    return await _computed(size, lambda: _of_rollups(series, rollups, layers, grid))


async def _computed(rows: int, compute: Callable[[], dict[str, Matrix]]) -> dict[str, Matrix]:
    return compute() if rows <= _AT_ONCE else await asyncio.to_thread(compute)


def _of_samples(
    series: Sequence[Series], samples: Mapping[int, Samples], layers: Mapping[str, Layer], grid: Grid
) -> dict[str, Matrix]:
    def rows_of(places: Sequence[int]) -> Rows:
        parts = [samples[series[place].id] for place in places]
        return Rows(
            len(places),
            np.repeat(np.arange(len(places)), [len(part.at_ms) for part in parts]),
            np.concatenate([part.at_ms for part in parts]),
            np.concatenate([part.value for part in parts]),
        )

    def made(rows: Rows, wanted: Wanted) -> Matrix:
        if wanted in _GROWTHS:
            return grown(rows, grid, wanted)  # type: ignore[arg-type]
        if wanted == NEWEST:
            times = np.where(np.isnan(rows.value), np.nan, rows.at_ms.astype(float))
            return summarised(Rows(rows.count, rows.series, rows.at_ms, times), grid, "last")
        return summarised(rows, grid, wanted)  # type: ignore[arg-type]

    return _layered(layers, grid, rows_of, made)


def _of_rollups(
    series: Sequence[Series], rollups: Mapping[int, Rollup], layers: Mapping[str, Layer], grid: Grid
) -> dict[str, Matrix]:
    def rows_of(places: Sequence[int]) -> RollupRows:
        parts = [rollups[series[place].id] for place in places]

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(part, name) for part in parts])

        return RollupRows(
            len(places),
            np.repeat(np.arange(len(places)), [len(part) for part in parts]),
            joined("start_ms").astype(np.int64),
            joined("count").astype(np.int64),
            sum=joined("sum"),
            min=joined("min"),
            max=joined("max"),
            last=joined("last"),
            increase=joined("increase"),
            seconds=joined("observed_ms") / 1000.0,
            ends_unknown=(joined("gaps").astype(np.uint8) & ENDS_UNKNOWN) > 0,
        )

    def made(rows: RollupRows, wanted: Wanted) -> Matrix:
        if wanted != NEWEST:
            how: How = wanted  # type: ignore[assignment]
            return of_rollups(rows, grid, how)
        known = np.where(rows.samples > 0, rows.start_ms.astype(float), np.nan)
        times = Rows(rows.count, rows.series, rows.start_ms, known)
        return summarised(times, grid, "last")

    return _layered(layers, grid, rows_of, made)


def _layered(
    layers: Mapping[str, Layer],
    grid: Grid,
    rows_of: Callable[[Sequence[int]], R],
    made: Callable[[R, Wanted], Matrix],
) -> dict[str, Matrix]:
    """Each layer, computed for all series of which the same is wanted together."""
    kept: dict[tuple[int, ...], R] = {}
    told: dict[str, Matrix] = {}
    for name, layer in layers.items():
        matrix = np.full((len(layer.wanted), grid.count), np.nan)
        for wanted in dict.fromkeys(layer.wanted):
            places = tuple(place for place, each in enumerate(layer.wanted) if each == wanted)
            if places not in kept:
                kept[places] = rows_of(places)
            matrix[list(places)] = made(kept[places], wanted)
        told[name] = matrix
    return told
