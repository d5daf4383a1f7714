"""OTLP's ExportMetricsServiceRequest in JSON, as samples."""

from __future__ import annotations

import base64
import binascii

import msgspec

from handlers.gathered_samples import ENTRY_BYTES, GAP, NANOSECONDS, Decoded, Gathered, Window
from handlers.ingest import wire
from handlers.ingest.otlp_instruments import Attributes, Instrument, Temporality
from handlers.ingest.otlp_json_messages import (
    AnyValue,
    CommonPoint,
    ExponentialBuckets,
    ExponentialHistogram,
    ExponentialPoint,
    ExportRequest,
    Gauge,
    Histogram,
    HistogramPoint,
    KeyValue,
    Metric,
    Number,
    NumberPoint,
    ResourceMetrics,
    Sum,
    Summary,
    SummaryPoint,
    Whole,
)
from handlers.ingest.otlp_labels import Value, resource_labels, scope_labels, shown
from handlers.ingest.otlp_points import NO_RECORDED_VALUE, Buckets, Measured, Point, Points
from handlers.ingest.otlp_protobuf import NO_TEMPORALITY
from handlers.ingest.wire import Malformed

Data = Gauge | Sum | Histogram | ExponentialHistogram | Summary
# The instruments of one scope, by all that tells them apart.
Instruments = dict[tuple[object, ...], Instrument]

_requests = msgspec.json.Decoder(ExportRequest)


class OtlpJsonReader:
    """Reads the requests of one sender, and remembers its series, which takes about `size` bytes."""

    def __init__(self) -> None:
        self._scopes: dict[tuple[tuple[str, str], ...], Instruments] = {}
        self.size = 0

    def read(self, body: bytes, window: Window) -> Decoded:
        """Raises Malformed."""
        gathered = Gathered(window)
        try:
            request = _requests.decode(body)
            for resource in request.resource_metrics:
                self._take_resource(resource, gathered)
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
            raise Malformed(str(error)) from None
        return gathered.columns(NANOSECONDS)

    def _take_resource(self, resource: ResourceMetrics, gathered: Gathered) -> None:
        labels = resource_labels(_attributes(resource.resource.attributes))
        for each in resource.scope_metrics:
            scope = {**labels, **scope_labels(each.scope.name, _attributes(each.scope.attributes))}
            instruments = self._scopes.setdefault(tuple(scope.items()), {})
            reading = _Reading(gathered, scope, instruments)
            for metric in each.metrics:
                reading.take_metric(metric)
            self.size += reading.learned


class _Reading:
    """Takes the metrics of one scope."""

    def __init__(self, gathered: Gathered, labels: dict[str, str], instruments: Instruments) -> None:
        self._gathered = gathered
        self._points = Points(gathered)
        self._labels = labels
        self._instruments = instruments
        self.learned = 0

    def take_metric(self, metric: Metric) -> None:
        data = (metric.gauge, metric.sum, metric.histogram, metric.exponential_histogram, metric.summary)
        for each in data:
            if each is None:
                continue
            instrument = self._instrument(metric, each)
            if instrument is not None:
                known = len(instrument.slots)
                self._take_points(instrument, each)
                self.learned += (len(instrument.slots) - known) * 2 * ENTRY_BYTES

    def _instrument(self, metric: Metric, data: Data) -> Instrument | None:
        """None, with the points refused, for what does not say how it counts."""
        temporality, counts = Temporality.CUMULATIVE, not isinstance(data, Gauge)
        if isinstance(data, Sum | Histogram | ExponentialHistogram):
            if data.aggregation_temporality not in (Temporality.DELTA, Temporality.CUMULATIVE):
                self._gathered.refusals.add(NO_TEMPORALITY, len(data.data_points))
                return None
            temporality = Temporality(data.aggregation_temporality)
        if isinstance(data, Sum):
            counts = data.is_monotonic
        name = (metric.name, metric.unit, type(data), temporality, counts)
        instrument = self._instruments.get(name)
        if instrument is None:
            delta = temporality == Temporality.DELTA
            instrument = Instrument(metric.name, metric.unit, self._labels, counts=counts, delta=delta)
            self._instruments[name] = instrument
            self.learned += len(metric.name) + ENTRY_BYTES
        return instrument

    def _take_points(self, instrument: Instrument, data: Data) -> None:
        match data:
            case Gauge() | Sum():
                self._take_numbers(instrument, data.data_points)
            case Histogram():
                self._take_histograms(instrument, data.data_points)
            case ExponentialHistogram():
                self._take_exponential(instrument, data.data_points)
            case Summary():
                self._take_summaries(instrument, data.data_points)

    def _take_numbers(self, instrument: Instrument, points: list[NumberPoint]) -> None:
        for each in points:
            value, has_value = GAP, True
            if each.as_double is not None:
                value = _number(each.as_double)
            elif each.as_int is not None:
                value = float(int(each.as_int))
            else:
                has_value = False
            self._points.number(instrument, _point(each, has_value=has_value), value)

    def _take_histograms(self, instrument: Instrument, points: list[HistogramPoint]) -> None:
        for each in points:
            counts = [_whole(count) for count in each.bucket_counts]
            bounds = [_number(bound) for bound in each.explicit_bounds]
            self._points.histogram(instrument, _point(each), _measured(each.count, each.sum), counts, bounds)

    def _take_exponential(self, instrument: Instrument, points: list[ExponentialPoint]) -> None:
        for each in points:
            zeros = (_number(each.zero_threshold), _whole(each.zero_count))
            sides = (_buckets(each.positive), _buckets(each.negative))
            measured = _measured(each.count, each.sum)
            self._points.exponential(instrument, _point(each), measured, each.scale, zeros, *sides)

    def _take_summaries(self, instrument: Instrument, points: list[SummaryPoint]) -> None:
        for each in points:
            quantiles = [(_number(one.quantile), _number(one.value)) for one in each.quantile_values]
            self._points.summary(instrument, _point(each), _measured(each.count, each.sum), quantiles)


def _point(point: CommonPoint, *, has_value: bool = True) -> Point:
    attributes = _attributes(point.attributes)
    flags = point.flags if has_value else NO_RECORDED_VALUE
    start = wire.signed(_whole(point.start_time_unix_nano))
    return Point(tuple(attributes), attributes, start, _whole(point.time_unix_nano), flags)


def _attributes(pairs: list[KeyValue]) -> Attributes:
    return [(pair.key, shown(_value(pair.value))) for pair in pairs]


def _value(value: AnyValue | None) -> Value:
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.bool_value is not None:
        return value.bool_value
    if value.int_value is not None:
        return int(value.int_value)
    if value.double_value is not None:
        return _number(value.double_value)
    if value.bytes_value is not None:
        try:
            return base64.b64decode(value.bytes_value, validate=True)
        except binascii.Error:
            raise Malformed("an attribute's bytes are not base64") from None
    if value.array_value is not None:
        return [_value(each) for each in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return None


def _measured(count: Whole, total: Number | None) -> Measured:
    return Measured(_whole(count), None if total is None else _number(total))


def _buckets(buckets: ExponentialBuckets) -> Buckets:
    return Buckets(buckets.offset, [_whole(count) for count in buckets.bucket_counts])


def _whole(value: Whole) -> int:
    """A count or a time, which has at most 64 bits and no sign."""
    number = int(value)
    if not 0 <= number < 1 << 64:
        raise Malformed(f"{number} is no number of 64 bits without a sign")
    return number


def _number(value: Number) -> float:
    """Texts are what JSON has no number for: NaN, Infinity, -Infinity; and numbers."""
    return float(value)
