"""From a question to an answer: series found, values read, and, where somebody watches, only read on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analysis.timeseries.cells import Matrix
from analysis.timeseries.grid import Grid
from handlers.performance.answers import Measurements, instant
from handlers.performance.assembling import columns_of, lines_of, previous_of
from handlers.performance.banding import bands_of
from handlers.performance.layers import check, layers_for, selectors_of
from handlers.performance.planning import Plan
from handlers.performance.questions import GetMetrics
from handlers.performance.ranges import duration_ms
from handlers.performance.reading import Reader
from storage.samples.columns import Series


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for a question: for each layer a row a series, a column a step of the plan's grid."""

    plan: Plan
    series: list[Series]
    layers: Mapping[str, Matrix]


async def read_all(reader: Reader, request: GetMetrics, plan: Plan) -> Read:
    """Raises InvalidRequest."""
    check(request)
    series = await reader.find(request.data_source_id, selectors_of(request))
    layers = layers_for(request, series, plan.grid, plan.width)
    return Read(plan, series, await reader.read(series, layers, plan.grid, plan.tier))


async def read_on(reader: Reader, request: GetMetrics, before: Read, plan: Plan, changed_ms: int | None) -> Read:
    """What was read before, gone on to a later grid of the same step: read anew is what is new, and what samples from
    `changed_ms` on may have changed."""
    old, new = before.plan.grid, plan.grid
    part = new.since(old.end_ms if changed_ms is None else min(changed_ms, old.end_ms))
    if not part.count and new == old:
        return before
    layers = layers_for(request, before.series, plan.grid, plan.width)
    read = await reader.read(before.series, layers, part, plan.tier)
    return Read(plan, before.series, {name: _joined(before.layers[name], old, read[name], new) for name in layers})


def _joined(values: Matrix, old: Grid, later: Matrix, new: Grid) -> Matrix:
    shift = (new.start_ms - old.start_ms) // old.step_ms
    kept = new.count - later.shape[1]
    return np.concatenate([values[:, shift : shift + kept], later], axis=1)


async def told(reader: Reader, request: GetMetrics, read: Read, now: datetime) -> Measurements:
    """The answer."""
    plan = read.plan
    lines = lines_of(request, read.series, read.layers)
    offset_ms = _offset(request, plan.grid)
    previous = bands = None
    if offset_ms is not None:
        layers = layers_for(request, read.series, plan.grid, plan.width)
        earlier = await reader.read(read.series, layers, plan.grid.shifted(-offset_ms), plan.tier)
        previous = previous_of(request, read.series, earlier, lines)
    if request.band:
        bands = await bands_of(reader, request, read.series, lines, plan)
    grid = plan.told
    return Measurements(
        data_source_id=request.data_source_id,
        as_of=now,
        start=instant(plan.asked.start_ms),
        end=instant(plan.asked.end_ms),
        step_seconds=grid.step_ms / 1000,
        tier=plan.tier_name,
        is_partial=bool(plan.partial),
        partial=list(plan.partial),
        times=grid.times.tolist(),
        series=columns_of(lines, plan, previous, bands),
        left_out=lines.left_out,
        compared_seconds=None if offset_ms is None else offset_ms / 1000,
    )


def _offset(request: GetMetrics, grid: Grid) -> int | None:
    """How much earlier the period lies that is compared with, in ms: whole steps."""
    if request.compare is None:
        return None
    if request.compare == "previous":
        return grid.count * grid.step_ms
    offset = duration_ms(request.compare)
    assert offset is not None  # the request's type says so
    return grid.step_ms * -(-offset // grid.step_ms)
