"""Which series become one, and what they are together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.monitoring.quantiles import histogram_quantiles, merged
from analysis.timeseries.cells import Matrix
from analysis.timeseries.combining import combined, missing, newest
from handlers.performance.questions import Bucket, GetMetrics, bucket_of, together
from handlers.performance.reading import NEWEST
from storage.samples.columns import Series

_BUCKET_SUFFIX, _BOUND = "_bucket", "le"


@dataclass(slots=True)
class Group:
    """One line of an answer: `members` are places in the list of series."""

    metric: str
    labels: dict[str, str]
    kind: str
    unit: str
    bucket: Bucket
    aggregate: str | None = None
    is_histogram: bool = False
    members: list[int] = field(default_factory=list)


def is_histogram(request: GetMetrics, series: Series) -> bool:
    """Whether the series is a bucket of a histogram of which a percentile is asked for."""
    key = series.key
    is_bucket = key.metric.endswith(_BUCKET_SUFFIX) and any(name == _BOUND for name, _ in key.labels)
    return request.quantile is not None and is_bucket


def groups_of(request: GetMetrics, series: Sequence[Series]) -> list[Group]:
    """The lines of the answer, in the order of the series."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Group] = {}
    for place, each in enumerate(series):
        key, labels = each.key, each.key.labels
        histogram = is_histogram(request, each)
        if request.combines:
            labels = tuple((name, value) for name, value in labels if name in request.labels)
        metric = key.metric.removesuffix(_BUCKET_SUFFIX) if histogram else key.metric
        group = found.get((key.metric, labels))
        if group is None:
            bucket = bucket_of(request, key.kind)
            how = together(request, bucket) if request.combines else None
            group = Group(metric, dict(labels), key.kind, key.unit, bucket, how, histogram)
            found[key.metric, labels] = group
        group.members.append(place)
    return list(found.values())


def values_of(
    request: GetMetrics, series: Sequence[Series], groups: Sequence[Group], layers: Mapping[str, Matrix]
) -> tuple[Matrix, NDArray[np.int64] | None]:
    """A row a group; and of how many of its series there is no value at each time, where several become one."""
    values = layers["values"]
    if not request.combines:
        return values, None
    of = np.empty(len(series), np.int64)
    for number, group in enumerate(groups):
        of[group.members] = number
    skip = request.missing == "skip"
    made = np.full((len(groups), values.shape[1]), np.nan)
    for how in {group.aggregate for group in groups if not group.is_histogram}:
        some = [number for number, group in enumerate(groups) if group.aggregate == how]
        made[some] = _together(str(how), values, layers, of, len(groups), skip=skip)[some]
    for number, group in enumerate(groups):
        if group.is_histogram:
            made[number] = _percentile(request, series, group, values, skip=skip)
    return made, missing(values, of, len(groups))


def _together(
    how: str, values: Matrix, layers: Mapping[str, Matrix], of: NDArray[np.int64], count: int, *, skip: bool
) -> Matrix:
    if how == "last":
        return newest(values, layers[NEWEST], of, count)
    return combined(values, of, count, how, skip=skip)


def _percentile(
    request: GetMetrics, series: Sequence[Series], group: Group, values: Matrix, *, skip: bool
) -> NDArray[np.float64]:
    """Of the histograms of the group, added up: each is the buckets with the same labels but for the bound."""
    histograms: dict[tuple[tuple[str, str], ...], dict[float, int]] = {}
    for place in group.members:
        labels = dict(series[place].key.labels)
        bound = _number(labels.pop(_BOUND))
        if bound is not None:
            histograms.setdefault(tuple(labels.items()), {})[bound] = place
    parts = []
    for bounds in histograms.values():
        ordered = sorted(bounds)
        counts = values[[bounds[bound] for bound in ordered]]
        parts.append((np.array(ordered), counts))
    if skip:
        nothing = np.isnan(values[group.members]).all(axis=0)
        parts = [(bounds, np.where(nothing, np.nan, np.nan_to_num(counts))) for bounds, counts in parts]
    quantile = request.quantile
    assert quantile is not None  # what makes a group one of histograms
    return np.asarray(histogram_quantiles(*merged(parts), quantile).value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
