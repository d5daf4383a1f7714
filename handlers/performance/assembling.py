"""An answer out of values: which lines are told, as which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix
from analysis.timeseries.lttb import Chosen, downsampled
from handlers.performance.answers import BandColumns, SeriesColumns, column
from handlers.performance.grouping import Group, groups_of, values_of
from handlers.performance.planning import Plan
from handlers.performance.questions import GetMetrics
from storage.samples.columns import Series


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines that are told, with their values: a row each."""

    groups: list[Group]
    values: Matrix
    missing: NDArray[np.int64] | None
    low: Matrix
    high: Matrix
    left_out: int


def lines_of(request: GetMetrics, series: Sequence[Series], layers: Mapping[str, Matrix]) -> Lines:
    """The lines with the largest values, in the order of the series."""
    groups = groups_of(request, series)
    values, lacking = values_of(request, series, groups, layers)
    low, high = (layers.get(name, values) if not request.combines else values for name in ("low", "high"))
    kept = _largest(values, request.limit)
    return Lines(
        [groups[place] for place in kept],
        values[kept],
        None if lacking is None else lacking[kept],
        low[kept],
        high[kept],
        len(groups) - len(kept),
    )


def _largest(values: Matrix, limit: int) -> NDArray[np.intp]:
    if len(values) <= limit:
        return np.arange(len(values))
    known = np.isfinite(values)
    size = np.where(known, np.abs(values), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.sort(np.argsort(-size, kind="stable")[:limit])


def columns_of(
    lines: Lines, plan: Plan, previous: Matrix | None, bands: Sequence[BandColumns | None] | None
) -> list[SeriesColumns]:
    """The lines as they are told."""
    chosen = downsampled(lines.values, lines.low, lines.high, plan.width) if plan.width > 1 else None
    return [
        SeriesColumns(
            metric=group.metric,
            labels=group.labels,
            kind=group.kind,
            unit=group.unit,
            bucket=group.bucket,
            aggregate=group.aggregate,
            of=len(group.members),
            values=column(lines.values[place] if chosen is None else chosen.value[place]),
            missing=_missing(lines, place, chosen),
            at=_times(chosen, place, plan),
            low=None if chosen is None else column(chosen.low[place]),
            high=None if chosen is None else column(chosen.high[place]),
            previous=None if previous is None else column(previous[place]),
            band=bands[place] if bands is not None else None,
        )
        for place, group in enumerate(lines.groups)
    ]


def _missing(lines: Lines, place: int, chosen: Chosen | None) -> list[int] | None:
    if lines.missing is None or not lines.missing[place].any() or chosen is not None:
        return None
    counts: list[int] = lines.missing[place].tolist()
    return counts


def _times(chosen: Chosen | None, place: int, plan: Plan) -> list[int | None] | None:
    if chosen is None:
        return None
    grid = plan.grid
    return [None if at < 0 else grid.start_ms + at * grid.step_ms for at in chosen.column[place].tolist()]


def previous_of(request: GetMetrics, series: Sequence[Series], layers: Mapping[str, Matrix], lines: Lines) -> Matrix:
    """The values of an earlier period for the same lines."""
    groups = groups_of(request, series)
    values, _ = values_of(request, series, groups, layers)
    places = {(group.metric, *sorted(group.labels.items())): place for place, group in enumerate(groups)}
    return values[[places[group.metric, *sorted(group.labels.items())] for group in lines.groups]]
