"""The messages of OTLP in JSON; members that are not known are passed over.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

# A number may come as a text.
Whole = int | Annotated[str, Meta(pattern=r"^-?[0-9]{1,20}$")]
Number = float | str


class AnyValue(Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole | None = None
    double_value: Number | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: str | None = None


class ArrayValue(Struct):
    values: list[AnyValue] = []


class KeyValue(Struct):
    key: str = ""
    value: AnyValue | None = None


class KeyValueList(Struct):
    values: list[KeyValue] = []


class CommonPoint(Struct, rename="camel"):
    attributes: list[KeyValue] = []
    start_time_unix_nano: Whole = 0
    time_unix_nano: Whole = 0
    flags: int = 0


class NumberPoint(CommonPoint, rename="camel"):
    as_double: Number | None = None
    as_int: Whole | None = None


class HistogramPoint(CommonPoint, rename="camel"):
    count: Whole = 0
    sum: Number | None = None
    bucket_counts: list[Whole] = []
    explicit_bounds: list[Number] = []


class ExponentialBuckets(Struct, rename="camel"):
    offset: int = 0
    bucket_counts: list[Whole] = []


class ExponentialPoint(CommonPoint, rename="camel"):
    count: Whole = 0
    sum: Number | None = None
    scale: int = 0
    zero_count: Whole = 0
    zero_threshold: Number = 0.0
    positive: ExponentialBuckets = field(default_factory=ExponentialBuckets)
    negative: ExponentialBuckets = field(default_factory=ExponentialBuckets)


class QuantileValue(Struct):
    quantile: Number = 0.0
    value: Number = 0.0


class SummaryPoint(CommonPoint, rename="camel"):
    count: Whole = 0
    sum: Number = 0.0
    quantile_values: list[QuantileValue] = []


class Gauge(Struct, rename="camel"):
    data_points: list[NumberPoint] = []


class Sum(Struct, rename="camel"):
    data_points: list[NumberPoint] = []
    aggregation_temporality: int = 0
    is_monotonic: bool = False


class Histogram(Struct, rename="camel"):
    data_points: list[HistogramPoint] = []
    aggregation_temporality: int = 0


class ExponentialHistogram(Struct, rename="camel"):
    data_points: list[ExponentialPoint] = []
    aggregation_temporality: int = 0


class Summary(Struct, rename="camel"):
    data_points: list[SummaryPoint] = []


class Metric(Struct, rename="camel"):
    name: str = ""
    unit: str = ""
    gauge: Gauge | None = None
    sum: Sum | None = None
    histogram: Histogram | None = None
    exponential_histogram: ExponentialHistogram | None = None
    summary: Summary | None = None


class Scope(Struct):
    name: str = ""
    attributes: list[KeyValue] = []


class ScopeMetrics(Struct):
    scope: Scope = field(default_factory=Scope)
    metrics: list[Metric] = []


class Resource(Struct):
    attributes: list[KeyValue] = []


class ResourceMetrics(Struct, rename="camel"):
    resource: Resource = field(default_factory=Resource)
    scope_metrics: list[ScopeMetrics] = []


class ExportRequest(Struct, rename="camel"):
    resource_metrics: list[ResourceMetrics] = []
