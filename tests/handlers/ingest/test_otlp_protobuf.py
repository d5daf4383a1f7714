"""OTLP in protocol buffers becomes the samples that its own library says it holds, and hostile bytes become nothing."""

from __future__ import annotations

import math
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from otlp_requests import NANOSECONDS, NOW_MS, WINDOW, by_series, counter, gauge, kinds, number, request, samples

from handlers.gathered_samples import NOT_FINITE, TOO_NEW, TOO_OLD
from handlers.ingest import wire
from handlers.ingest.otlp_labels import shown
from handlers.ingest.otlp_protobuf import NO_TEMPORALITY, OtlpReader
from storage.samples.columns import SeriesKey

SHOP = {"service.name": "shop", "service.instance.id": "a-1", "telemetry.sdk.name": "opentelemetry"}


def test_numbers_become_series_named_by_resource_scope_and_attributes() -> None:
    body = request(
        gauge("queue.length", number(3, queue="mail"), number(2.5, queue="sms", urgent=True), unit="{items}"),
        counter("calls", number(7, start_ms=NOW_MS - 1000)),
        counter("balance", number(-1), monotonic=False),
        resource=SHOP,
        scope="shop.meters",
    ).SerializeToString()
    decoded = OtlpReader().read(body, WINDOW)
    own = (("otel.scope.name", "shop.meters"), ("service.instance.id", "a-1"), ("service.name", "shop"))
    mail = tuple(sorted((("queue", "mail"), *own)))
    sms = tuple(sorted((("queue", "sms"), ("urgent", "true"), *own)))
    assert by_series(decoded) == {
        ("queue.length", mail): [(0, 3.0)],
        ("queue.length", sms): [(0, 2.5)],
        ("calls", own): [(-1001, None), (0, 7.0)],
        ("balance", own): [(0, -1.0)],
    }
    assert kinds(decoded) == {
        "queue.length": ("gauge", "{items}"),
        "calls": ("counter", ""),
        "balance": ("gauge", ""),
    }
    assert decoded.samples == 4
    assert not decoded.refusals.count


def test_the_same_series_are_the_same_objects_in_the_next_request() -> None:
    reader = OtlpReader()
    first = reader.read(request(gauge("m", number(1.0, a="x"), number(2.0, a="y"))).SerializeToString(), WINDOW)
    size = reader.size
    second = reader.read(request(gauge("m", number(4.0, a="y"), number(3.0, a="x"))).SerializeToString(), WINDOW)
    assert [id(key) for key in second.columns.keys] == [id(key) for key in reversed(list(first.columns.keys))]
    assert second.columns.value.tolist() == [4.0, 3.0]
    assert reader.size == size


def test_a_counter_that_began_anew_leaves_a_gap_once_and_not_before_it_is_stored() -> None:
    reader, start = OtlpReader(), NOW_MS - 60_000

    def read(at: int, start_ms: int) -> list[tuple[int, float | None]]:
        body = request(counter("calls", number(5, NOW_MS + at, start_ms))).SerializeToString()
        decoded = reader.read(body, WINDOW)
        if at != 1000:
            decoded.confirm()
        (rows,) = by_series(decoded).values()
        return rows

    gap = (-60_001, None)
    # The second request was not stored, so its gap comes again with the next.
    assert read(0, start) == [gap, (0, 5.0)]
    assert read(1000, start + 60_500) == [(499, None), (1000, 5.0)]
    assert read(2000, start + 60_500) == [(499, None), (2000, 5.0)]
    assert read(3000, start + 60_500) == [(3000, 5.0)]


def test_a_start_before_all_that_is_kept_parts_nothing() -> None:
    body = request(counter("calls", number(5, NOW_MS, WINDOW.oldest_ms - 1))).SerializeToString()
    assert len(OtlpReader().read(body, WINDOW).columns.value) == 1


def test_a_point_whose_start_is_its_time_is_not_hidden_by_its_gap() -> None:
    body = request(counter("calls", number(5, NOW_MS, NOW_MS))).SerializeToString()
    (rows,) = by_series(OtlpReader().read(body, WINDOW)).values()
    assert rows == [(-1, None), (0, 5.0)]


def test_increments_are_a_gauge_of_their_own() -> None:
    body = request(counter("calls", number(5, start_ms=NOW_MS - 1000), temporality=1)).SerializeToString()
    decoded = OtlpReader().read(body, WINDOW)
    assert by_series(decoded) == {("calls", (("temporality", "delta"),)): [(0, 5.0)]}
    assert kinds(decoded) == {"calls": ("gauge", "")}


def test_what_is_not_stored_is_counted_with_its_reason() -> None:
    body = request(
        gauge("new", number(1.0, WINDOW.newest_ms + 1), number(1.0, WINDOW.newest_ms)),
        gauge("old", number(1.0, WINDOW.oldest_ms - 1), number(1.0, WINDOW.oldest_ms)),
        gauge("infinite", number(math.inf), number(-math.inf)),
        gauge("", number(1.0)),
        gauge("long", number(1.0, a="x" * 1001)),
        gauge("nul", number(1.0, a="x\0")),
        counter("unsaid", number(1), number(2), temporality=0),
    ).SerializeToString()
    decoded = OtlpReader().read(body, WINDOW)
    assert decoded.samples == 2
    assert dict(decoded.refusals.reasons) == {
        TOO_NEW: 1,
        TOO_OLD: 1,
        NOT_FINITE: 2,
        "the metric has no name": 1,
        "the label 'a' has more than 1000 characters": 1,
        "the label 'a' holds what no text may hold": 1,
        NO_TEMPORALITY: 2,
    }
    assert decoded.refusals.sentence().startswith("9 refused: 2 because ")


def test_a_point_without_a_value_is_a_gap() -> None:
    body = request(gauge("m", number(1.0, flags=1, a="x"), number(math.nan, a="y"))).SerializeToString()
    assert [value for _, _, value in samples(OtlpReader().read(body, WINDOW).columns)] == [None, None]


VALUES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_infinity=False))
NAMES = st.text("abc.é", min_size=1, max_size=4)
# A text with U+0000 is refused, which is another test's.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
ATTRIBUTE = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary())
POINTS = st.lists(
    st.tuples(VALUES, st.integers(-1000, 1000), st.dictionaries(NAMES, ATTRIBUTE, max_size=3), st.booleans()),
    max_size=5,
)
METRICS = st.lists(st.tuples(NAMES, st.booleans(), POINTS), max_size=4)


@given(st.lists(METRICS, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_request_is_read_as_its_own_library_reads_it(requests: list[Any], dice: random.Random) -> None:
    """Whatever was read before, in whatever order the fields of a point stand."""
    reader = OtlpReader()
    for metrics in requests:
        made = request(
            *(
                (counter if is_counter else gauge)(
                    name, *(_point(value, at, attributes) for value, at, attributes, _ in points)
                )
                for name, is_counter, points in metrics
            ),
            resource={"service.name": "shop"},
        )
        body = made.SerializeToString() if dice.random() < 0.5 else shuffled(made, dice)
        decoded = reader.read(body, WINDOW)
        assert sorted(samples(decoded.columns), key=repr) == sorted(expected(made), key=repr)


def _point(value: float, at: int, attributes: dict[str, Any]) -> Any:
    point = number(value, NOW_MS + at)
    for name, each in attributes.items():
        point.attributes.extend(number(0, **{"x": each}).attributes)
        point.attributes[-1].key = name
    return point


def expected(made: ExportMetricsServiceRequest) -> list[tuple[Any, int, float | None]]:
    """Read by the library, and named as the documentation says."""

    rows: list[tuple[Any, int, float | None]] = []
    parsed = ExportMetricsServiceRequest.FromString(made.SerializeToString())
    for metric in parsed.resource_metrics[0].scope_metrics[0].metrics:
        kind = "counter" if metric.WhichOneof("data") == "sum" else "gauge"
        points = (metric.sum if kind == "counter" else metric.gauge).data_points
        for point in points:
            labels = {"service.name": "shop"}
            for pair in point.attributes:
                which = pair.value.WhichOneof("value")
                labels[pair.key] = shown(getattr(pair.value, which))
            named = tuple(sorted((name, text) for name, text in labels.items() if text))
            value = float(point.as_double if point.WhichOneof("value") == "as_double" else point.as_int)
            shown_value = None if math.isnan(value) else value
            rows.append((SeriesKey(metric.name, named, kind), point.time_unix_nano // NANOSECONDS, shown_value))
    return rows


def shuffled(made: ExportMetricsServiceRequest, dice: random.Random) -> bytes:
    """The same request, the fields of each message in any order."""

    def message(data: bytes, shape: dict[int, Any]) -> bytes:
        parts = []
        before = 0
        for number_, kind, a, b in wire.fields(data, 0, len(data)):
            if kind == wire.BYTES and number_ in shape:
                parts.append((number_, wire.write_bytes(number_, message(data[a:b], shape[number_]))))
            else:
                parts.append((number_, data[before:b]))
            before = b
        if len({number_ for number_, _ in parts}) > 1:
            # Those of one number keep their order, which says something.
            order = list(dict.fromkeys(number_ for number_, _ in parts))
            dice.shuffle(order)
            parts.sort(key=lambda part: order.index(part[0]))
        return b"".join(part for _, part in parts)

    # A resource (1) and its scopes (2), their metrics (2), a gauge (5) or sum (7), its points (1).
    shape: dict[int, Any] = {1: {1: {}, 2: {2: {5: {1: {7: {}}}, 7: {1: {7: {}}}}}}}
    return message(made.SerializeToString(), shape)
