"""Sources with measurements: samples as plain lists, stored as whoever brings them does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from http_node import Node

from handlers import measurements
from storage import data_sources
from storage.data_sources import DataSource
from storage.samples.columns import SampleColumns, SeriesKey

GAP = math.nan


async def make_source(node: Node, workspace_id: str = "lab", name: str = "measured") -> DataSource:
    async with node.parts.database.write() as connection:
        return await data_sources.create(
            connection,
            workspace_id=workspace_id,
            name=name,
            kind="sqlite",
            settings={},
            description=None,
            owner="ada",
            at=node.clock,
        )


def key(metric: str, kind: str = "gauge", unit: str = "", **labels: str) -> SeriesKey:
    return SeriesKey(metric, tuple(sorted(labels.items())), kind, unit)


def columns_of(samples: Mapping[SeriesKey, Sequence[tuple[int, float]]]) -> SampleColumns:
    """Samples by series, times in ms."""
    keys = list(samples)
    flat = [(index, at, value) for index, each in enumerate(keys) for at, value in samples[each]]
    return SampleColumns(
        keys,
        np.array([index for index, _, _ in flat], np.int32),
        np.array([at for _, at, _ in flat], np.int64),
        np.array([value for _, _, value in flat], np.float64),
    )


async def store(
    node: Node, source: DataSource | None, samples: Mapping[SeriesKey, Sequence[tuple[int, float]]]
) -> None:
    """Stored and told, as by whoever measures. None is the server itself."""
    appended = await measurements.store(node.parts, source, columns_of(samples))
    assert appended.stored == sum(map(len, samples.values()))


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
