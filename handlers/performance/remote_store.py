"""Values over a grid from another store with the API of Prometheus; what series are together is computed here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from analysis.timeseries.cells import Matrix
from analysis.timeseries.grid import Grid
from handlers.performance import promql
from handlers.performance.ranges import LONGEST_MS
from handlers.performance.reading import NEWEST, Layer
from handlers.performance.selectors import Selector
from handlers.prometheus_names import MetricType, kind_of
from handlers.prometheus_store import PrometheusStore, StoreFailed
from handlers.registry import Unavailable
from storage.samples.columns import Series, SeriesKey
from storage.samples.policy import Tier

# Nothing is known of how finely it keeps what, nor for how long.
REMOTE = Tier(-1, 0, LONGEST_MS)
_AT_ONCE = 4
_NAME = "__name__"
_TYPES = {"counter": MetricType.COUNTER, "gauge": MetricType.GAUGE, "histogram": MetricType.HISTOGRAM}

Labels = tuple[tuple[str, str], ...]


class _Metadata(msgspec.Struct):
    type: str = "unknown"
    unit: str = ""


class _Line(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Range(msgspec.Struct):
    result: list[_Line]


class RemoteReader:
    """A `Reader` of a store by its address. `now` is the newest time that is asked for."""

    def __init__(self, store: PrometheusStore, now: datetime) -> None:
        self._store = store
        self._now = now

    def best_tier(self, step_ms: int, start_ms: int) -> Tier:  # noqa: ARG002 - as readers are asked
        return REMOTE

    async def find(self, source_id: int, selectors: Sequence[Selector] | None) -> list[Series]:
        """Raises Unavailable."""
        if selectors == ():
            return []
        matches = [promql.matching(source_id, selector) for selector in selectors or (None,)]
        end = self._now.timestamp()
        parameters = [("match[]", match) for match in matches]
        parameters += [("start", f"{end - LONGEST_MS / 1000:.0f}"), ("end", f"{end:.0f}")]
        found: list[dict[str, str]] = await self._ask("series", parameters, list[dict[str, str]])
        metadata = await self._metadata()
        keys = sorted({_key(labels, metadata) for labels in found}, key=lambda key: (key.metric, key.labels))
        now_ms = round(end * 1000)
        # Numbers are for this question only: what is watched is asked for anew.
        return [Series(number, source_id, key, now_ms, now_ms) for number, key in enumerate(keys)]

    async def read(
        self,
        series: Sequence[Series],
        layers: Mapping[str, Layer],
        grid: Grid,
        tier: Tier,  # noqa: ARG002 - as readers are asked
    ) -> dict[str, Matrix]:
        """Raises Unavailable."""
        turns = asyncio.Semaphore(_AT_ONCE)
        made = {name: np.full((len(series), grid.count), np.nan) for name in layers}

        async def fill(name: str, source_id: int, metric: str, wanted: str, places: list[int]) -> None:
            async with turns:
                lines = await self._range(source_id, metric, wanted, grid)
            values = await asyncio.to_thread(_placed, lines, grid, 1000.0 if wanted == NEWEST else 1.0)
            for place in places:
                row = values.get(series[place].key.labels)
                if row is not None:
                    made[name][place] = row

        await asyncio.gather(
            *(
                fill(name, *question, places)
                for name, layer in layers.items()
                for question, places in _together(series, layer).items()
            )
        )
        return made

    async def _range(self, source_id: int, metric: str, wanted: str, grid: Grid) -> list[_Line]:
        if wanted == NEWEST:
            query = promql.last_times(source_id, metric, grid.step_ms)
        else:
            query = promql.values(source_id, metric, wanted, grid.step_ms)
        parameters = promql.parameters_of(query, grid.start_ms, grid.step_ms, grid.count)
        found: _Range = await self._ask("query_range", parameters, _Range)
        return found.result

    async def _metadata(self) -> dict[str, list[_Metadata]]:
        """What metrics are. Stores need not know: then their names say it."""
        try:
            found: dict[str, list[_Metadata]] = await self._store.look_up("metadata", dict[str, list[_Metadata]])
        except StoreFailed:
            return {}
        return found

    async def _ask(self, path: str, parameters: Sequence[tuple[str, str]], data: Any) -> Any:
        try:
            return await self._store.ask(path, parameters, data)
        except StoreFailed as error:
            raise Unavailable(str(error), code="metrics_store_failed") from None


def _key(labels: Mapping[str, str], metadata: Mapping[str, list[_Metadata]]) -> SeriesKey:
    name = labels.get(_NAME, "")
    told = next(iter(metadata.get(name, ())), _Metadata())
    return SeriesKey(name, _labels(labels), kind_of(name, _TYPES.get(told.type, MetricType.UNKNOWN)), told.unit)


def _labels(labels: Mapping[str, str]) -> Labels:
    left_out = (_NAME, promql.SOURCE_LABEL)
    return tuple(sorted((name, value) for name, value in labels.items() if name not in left_out))


def _together(series: Sequence[Series], layer: Layer) -> dict[tuple[int, str, str], list[int]]:
    """The places of the series that one query answers for."""
    found: dict[tuple[int, str, str], list[int]] = {}
    for place, (each, wanted) in enumerate(zip(series, layer.wanted, strict=True)):
        found.setdefault((each.source_id, each.key.metric, wanted), []).append(place)
    return found


def _placed(lines: Sequence[_Line], grid: Grid, factor: float) -> dict[Labels, Matrix]:
    """The values of each line in their columns."""
    made: dict[Labels, Matrix] = {}
    for line in lines:
        row = made.setdefault(_labels(line.metric), np.full(grid.count, np.nan))
        at_ms = np.array([round(at * 1000) for at, _ in line.values], np.int64)
        columns = (at_ms - grid.start_ms) // grid.step_ms
        inside = (columns >= 0) & (columns < grid.count)
        values = np.array([float(text) for _, text in line.values], np.float64) * factor
        row[columns[inside]] = values[inside]
    return made
