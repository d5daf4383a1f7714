"""Where values are expected: the band of each line, learned from what came before the range and within it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.monitoring.bands import Band, band
from analysis.timeseries.cells import Matrix
from analysis.timeseries.grid import Grid
from handlers.performance.answers import BandColumns, column
from handlers.performance.assembling import Lines, previous_of
from handlers.performance.layers import layers_for
from handlers.performance.planning import Plan
from handlers.performance.questions import GetMetrics
from handlers.performance.reading import Reader
from handlers.registry import InvalidRequest
from storage.samples.columns import Series

# Steps before the range that a band begins to learn from.
_LEARNED = 1_000
# Each takes some 10 ms.
_MOST_LINES = 20
# Seasons are learned from the means of hours over four weeks.
_HOUR_MS = 3_600_000
_HISTORY_HOURS = 4 * 7 * 24


async def bands_of(
    reader: Reader, request: GetMetrics, series: Sequence[Series], lines: Lines, plan: Plan
) -> list[BandColumns | None]:
    """A band for each line. Raises InvalidRequest of too many."""
    if len(lines.groups) > _MOST_LINES:
        raise InvalidRequest(
            f"Bands are computed for {_MOST_LINES} series at most, and these are {len(lines.groups)}; "
            "narrow the metrics, or say limit.",
            code="too_many_bands",
            details={"parameter": "band"},
        )
    grid = plan.grid
    past = Grid(grid.start_ms - _LEARNED * grid.step_ms, grid.step_ms, _LEARNED)
    before = await _earlier(reader, request, series, lines, past)
    # Whole hours that end before the first value.
    end_ms = past.start_ms // _HOUR_MS * _HOUR_MS
    hours = Grid(end_ms - _HISTORY_HOURS * _HOUR_MS, _HOUR_MS, _HISTORY_HOURS)
    history = await _earlier(reader, request, series, lines, hours) if grid.step_ms < _HOUR_MS else None
    return await asyncio.to_thread(_computed, lines.values, grid, before, past, history, hours)


async def _earlier(reader: Reader, request: GetMetrics, series: Sequence[Series], lines: Lines, grid: Grid) -> Matrix:
    tier = reader.best_tier(grid.step_ms, grid.start_ms)
    layers = await reader.read(series, layers_for(request, series, grid, 1), grid, tier)
    return previous_of(request, series, layers, lines)


def _computed(
    values: Matrix, grid: Grid, before: Matrix, past: Grid, history: Matrix | None, hours: Grid
) -> list[BandColumns | None]:
    return [
        _columns(_band(row, grid, before[place], past, None if history is None else history[place], hours))
        for place, row in enumerate(values)
    ]


def _band(row: Array, grid: Grid, before: Array, past: Grid, history: Array | None, hours: Grid) -> Band:
    at_ms = np.concatenate([past.times, grid.times])
    known = None if history is None else (hours.times, history)
    return band(at_ms, np.concatenate([before, row]), start=past.count, history=known)


def _columns(found: Band) -> BandColumns:
    return BandColumns(expected=column(found.expected), low=column(found.lower), high=column(found.upper))
