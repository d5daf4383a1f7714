"""Requests of OTLP made by its own library, and what samples they ought to become, worked out point by point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint

from handlers.gathered_samples import Decoded, Window
from storage.samples.columns import SampleColumns, SeriesKey

NOW_MS = 1_800_000_000_000
NANOSECONDS = 1_000_000
WINDOW = Window(NOW_MS - 8 * 86_400_000, NOW_MS + 600_000)

Labels = tuple[tuple[str, str], ...]
Sample = tuple[SeriesKey, int, float]


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    made = []
    for name, value in attributes.items():
        pair = KeyValue(key=name)
        match value:
            case bool():
                pair.value.bool_value = value
            case int():
                pair.value.int_value = value
            case float():
                pair.value.double_value = value
            case bytes():
                pair.value.bytes_value = value
            case _:
                pair.value.string_value = value
        made.append(pair)
    return made


def request(
    *metrics: Metric, resource: Mapping[str, Any] | None = None, scope: str = ""
) -> ExportMetricsServiceRequest:
    """One resource, one scope."""
    made = ExportMetricsServiceRequest()
    resources = made.resource_metrics.add()
    resources.resource.attributes.extend(key_values(resource or {}))
    scopes = resources.scope_metrics.add()
    scopes.scope.name = scope
    scopes.metrics.extend(metrics)
    return made


def number(
    value: float, at_ms: int = NOW_MS, start_ms: int = 0, *, flags: int = 0, **attributes: Any
) -> NumberDataPoint:
    """An int is sent as one."""
    point = NumberDataPoint(
        time_unix_nano=at_ms * NANOSECONDS,
        start_time_unix_nano=start_ms * NANOSECONDS,
        flags=flags,
        attributes=key_values(attributes),
    )
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    return point


def gauge(name: str, *points: NumberDataPoint, unit: str = "") -> Metric:
    metric = Metric(name=name, unit=unit, description="what it is")
    metric.gauge.data_points.extend(points)
    return metric


def counter(
    name: str, *points: NumberDataPoint, unit: str = "", temporality: int = 2, monotonic: bool = True
) -> Metric:
    metric = Metric(name=name, unit=unit)
    metric.sum.data_points.extend(points)
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]
    metric.sum.is_monotonic = monotonic
    return metric


def samples(columns: SampleColumns) -> list[Sample]:
    """Row by row; a marker of a gap has the value None."""
    return [
        (columns.keys[index], at_ms, None if np.isnan(value) else value)  # type: ignore[misc]
        for index, at_ms, value in zip(
            columns.index.tolist(), columns.at_ms.tolist(), columns.value.tolist(), strict=True
        )
    ]


def by_series(decoded: Decoded) -> dict[tuple[str, Labels], list[tuple[int, float | None]]]:
    """Times relative to NOW_MS and values of each series, by time."""
    found: dict[tuple[str, Labels], list[tuple[int, float | None]]] = {}
    for key, at_ms, value in samples(decoded.columns):
        found.setdefault((key.metric, key.labels), []).append((at_ms - NOW_MS, value))
    return {name: sorted(rows, key=lambda row: row[0]) for name, rows in found.items()}


def kinds(decoded: Decoded) -> dict[str, tuple[str, str]]:
    """Kind and unit of each metric."""
    return {key.metric: (key.kind, key.unit) for key in decoded.columns.keys}


def sorted_labels(labels: Iterable[tuple[str, str]]) -> Labels:
    return tuple(sorted(labels))
