"""What is asked of measurements: which, from when to when, in which steps, and what is made of several."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analysis.timeseries.grid import MOST_POINTS
from handlers.measured_sources import MeasuredId
from handlers.performance.ranges import Duration, TimeRange

Bucket = Literal["avg", "min", "max", "sum", "last", "count", "rate", "increase"]
Aggregate = Annotated[
    str,
    Meta(
        pattern=r"^(avg|min|max|sum|count|last|rate|increase|p[1-9]?[0-9](\.[0-9]{1,2})?)$(?!\n)",
        max_length=8,
        description="What several series are together: avg, min, max, sum, count, last, rate, increase, or a "
        "percentile as p50, p95, p99.9; of histograms (`…_bucket`) the percentile of what was observed.",
        examples=["sum"],
    ),
]
MetricText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1000,
        description='A metric, with `*` for anything and matchers of labels: `cpu{host="a",mode=~"u.*"}`.',
        examples=["postgresql.commits"],
    ),
]
LabelName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]+$(?!\n)")]
Comparison = Annotated[
    str,
    Meta(
        pattern=r"^(previous|[1-9][0-9]{0,8}[smhdw])$(?!\n)",
        max_length=10,
        description="Beside each value the one of the period before (`previous`), or of so much earlier (`1d`, `7d`).",
    ),
]

# How the samples of a step become one value where it is not said, by what is made of several series.
_GAUGE_BUCKETS: dict[str | None, Bucket] = {"min": "min", "max": "max", "last": "last"}
_COUNTER_BUCKETS: dict[str | None, Bucket] = {"increase": "increase", "last": "last"}


class GetMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Values of a source's metrics, one for each step of the range.

    `bucket` says how the samples of a step become one value: by itself the mean of gauges and the rate per second of
    counters. `aggregate` says what several series become together: one for each metric, or one for each metric and
    what it has of the labels in `group_by`. Without both, series stay apart.
    """

    data_source_id: MeasuredId
    time_range: TimeRange = "1h"
    metrics: Annotated[list[MetricText], Meta(max_length=50)] | None = None
    step: Duration | None = None
    max_points: Annotated[int, Meta(ge=1, le=MOST_POINTS)] = 600
    bucket: Bucket | None = None
    aggregate: Aggregate | None = None
    group_by: Annotated[list[LabelName], Meta(max_length=20)] | None = None
    missing: Annotated[
        Literal["gap", "skip"],
        Meta(description="A sum of which a part is not known is not known either (`gap`), or that of the rest."),
    ] = "gap"
    downsample: Literal["lttb"] | None = None
    compare: Comparison | None = None
    band: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000, description="Series to tell of: those with the largest values.")] = 100

    @property
    def combines(self) -> bool:
        """Whether several series become one."""
        return self.aggregate is not None or self.group_by is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that groups keep, each of which may be given as a list with commas."""
        return tuple(dict.fromkeys(name for text in self.group_by or () for name in text.split(",") if name))

    @property
    def quantile(self) -> float | None:
        """From 0 to 1, where a percentile is asked for."""
        if self.aggregate is None or not self.aggregate.startswith("p"):
            return None
        return float(self.aggregate[1:]) / 100.0


def bucket_of(request: GetMetrics, kind: str) -> Bucket:
    """How the samples of a step become one value, for series of this kind."""
    if request.bucket is not None:
        return request.bucket
    if kind == "counter":
        return _COUNTER_BUCKETS.get(request.aggregate, "rate")
    return _GAUGE_BUCKETS.get(request.aggregate, "avg")


def together(request: GetMetrics, bucket: Bucket) -> str:
    """What series with such values become together."""
    if request.aggregate is not None:
        return request.aggregate
    return "sum" if bucket in ("rate", "increase", "sum", "count") else "avg"
