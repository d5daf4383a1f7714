"""From our own numbers to what Prometheus is shown: families of counters, gauges and histograms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from handlers.histogram import Histogram

Labels = tuple[str, ...]
Values = float | Mapping[Labels, float]
Histograms = Histogram | Mapping[Labels, Histogram]

SECONDS = "seconds"


def counter(name: str, what: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    """What only grows; the name ends in `_total`. Values by their labels, or one without any."""
    family = CounterMetricFamily(name, what, labels=labels)
    for key, value in _labelled(values):
        family.add_metric(key, value)
    return family


def gauge(name: str, what: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    """What goes up and down."""
    family = GaugeMetricFamily(name, what, labels=labels, unit=_unit(name))
    for key, value in _labelled(values):
        family.add_metric(key, value)
    return family


def histogram(name: str, what: str, values: Histograms, labels: Sequence[str] = ()) -> Metric:
    """How values are spread."""
    family = HistogramMetricFamily(name, what, labels=labels, unit=_unit(name))
    for key, each in values.items() if isinstance(values, Mapping) else [((), values)]:
        family.add_metric(key, list(_buckets(each)), each.total)
    return family


def _labelled(values: Values) -> Iterator[tuple[Labels, float]]:
    yield from values.items() if isinstance(values, Mapping) else [((), values)]


def _buckets(values: Histogram) -> Iterator[tuple[str, float]]:
    """Prometheus counts everything up to a bound."""
    bounds = [*values.bounds, float("inf")]
    for bound, count in zip(bounds, accumulate(values.counts), strict=True):
        yield repr(bound) if bound < float("inf") else "+Inf", count


def _unit(name: str) -> str:
    return SECONDS if name.endswith(f"_{SECONDS}") else ""
