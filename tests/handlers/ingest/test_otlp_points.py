"""Histograms and summaries become series with bounds, the same from protocol buffers and from JSON."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from otlp_requests import NANOSECONDS, NOW_MS, WINDOW, by_series, counter, gauge, key_values, kinds, number, request
from otlp_requests import samples as rows

from handlers.ingest.otlp_json import OtlpJsonReader
from handlers.ingest.otlp_labels import shown
from handlers.ingest.otlp_points import (
    BAD_BUCKETS,
    BAD_SCALE,
    MOST_BUCKETS,
    NEGATIVE_BUCKETS,
    TOO_MANY_BUCKETS,
    Buckets,
    bound_text,
    joined_buckets,
)
from handlers.ingest.otlp_protobuf import OtlpReader
from handlers.ingest.wire import Malformed


def histogram(
    counts: list[int],
    bounds: list[float],
    *,
    count: int,
    total: float | None = None,
    temporality: int = 2,
    flags: int = 0,
) -> Metric:
    metric = Metric(name="took", unit="s")
    metric.histogram.aggregation_temporality = temporality  # type: ignore[assignment]
    point = metric.histogram.data_points.add(time_unix_nano=NOW_MS * NANOSECONDS, count=count, flags=flags)
    point.attributes.extend(key_values({"route": "/"}))
    point.bucket_counts.extend(counts)
    point.explicit_bounds.extend(bounds)
    if total is not None:
        point.sum = total
    return metric


def exponential(
    scale: int, offset: int, counts: list[int], *, zeros: int = 0, negative: list[int] | None = None
) -> Metric:
    metric = Metric(name="took", unit="s")
    metric.exponential_histogram.aggregation_temporality = 2  # type: ignore[assignment]
    point = metric.exponential_histogram.data_points.add(
        time_unix_nano=NOW_MS * NANOSECONDS, count=sum(counts) + zeros, sum=1.5, scale=scale, zero_count=zeros
    )
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)
    point.negative.bucket_counts.extend(negative or [])
    return metric


def read(*metrics: Metric) -> Any:
    return OtlpReader().read(request(*metrics).SerializeToString(), WINDOW)


def test_a_histogram_counts_what_was_at_most_each_bound() -> None:
    decoded = read(histogram([1, 0, 3], [0.005, 2.0], count=4, total=9.5))
    route = ("route", "/")
    assert by_series(decoded) == {
        ("took_bucket", (("le", "0.005"), route)): [(0, 1.0)],
        ("took_bucket", (("le", "2"), route)): [(0, 1.0)],
        ("took_bucket", (("le", "+Inf"), route)): [(0, 4.0)],
        ("took_count", (route,)): [(0, 4.0)],
        ("took_sum", (route,)): [(0, 9.5)],
    }
    assert kinds(decoded) == {
        "took_bucket": ("counter", ""),
        "took_count": ("counter", ""),
        "took_sum": ("counter", "s"),
    }


def test_a_histogram_may_have_no_buckets_and_no_sum() -> None:
    assert list(by_series(read(histogram([], [], count=4)))) == [("took_count", (("route", "/"),))]


def test_increments_of_a_histogram_are_gauges() -> None:
    assert {kind for kind, _ in kinds(read(histogram([1, 2], [1.0], count=3, temporality=1))).values()} == {"gauge"}


def test_a_histogram_without_a_recorded_value_is_a_gap() -> None:
    assert {value for _, _, value in rows(read(histogram([1, 2], [1.0], count=3, flags=1)).columns)} == {None}


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (histogram([1, 2], [], count=3), BAD_BUCKETS),
        (histogram([1, 2, 3], [2.0, 1.0], count=6), BAD_BUCKETS),
        (histogram([1, 2, 3], [1.0, math.nan], count=6), BAD_BUCKETS),
        (histogram([1] * (MOST_BUCKETS + 1), [float(i) for i in range(MOST_BUCKETS)], count=1), TOO_MANY_BUCKETS),
        (exponential(0, 0, [1], negative=[0, 1]), NEGATIVE_BUCKETS),
        (exponential(21, 0, [1]), BAD_SCALE),
    ],
)
def test_what_cannot_be_a_histogram_is_refused_with_its_reason(metric: Metric, reason: str) -> None:
    decoded = read(metric)
    assert (decoded.samples, dict(decoded.refusals.reasons)) == (0, {reason: 1})


def test_an_exponential_histogram_is_told_by_powers() -> None:
    decoded = read(exponential(0, 1, [2, 0, 5], zeros=1))
    counts = {dict(labels)["le"]: values for (name, labels), values in by_series(decoded).items() if "bucket" in name}
    # Of the scale 0 the buckets 1 to 3 end at 4, 8 and 16.
    assert counts == {"0": [(0, 1.0)], "4": [(0, 3.0)], "8": [(0, 3.0)], "16": [(0, 8.0)], "+Inf": [(0, 8.0)]}


@given(st.integers(-4, 20), st.floats(1e-12, 1e12), st.floats(1.0, 100.0))
@settings(max_examples=200, deadline=None)
def test_joined_buckets_hold_what_is_below_their_bounds(scale: int, least: float, spread: float) -> None:
    """Each value is counted below the first bound above it, whatever scale it was counted in."""
    values = [least, least * spread]
    numbers = [math.ceil(math.log2(value) * 2.0**scale) - 1 for value in values]
    if numbers[1] - numbers[0] > 10_000:
        return
    counts = [0] * (numbers[1] - numbers[0] + 1)
    for each in numbers:
        counts[each - numbers[0]] += 1
    below = 0
    for bound, count in joined_buckets(scale, Buckets(numbers[0], counts)):
        below += count
        exact = sum(value <= float(bound) * (1 - 1e-5) for value in values)
        assert exact <= below <= sum(value <= float(bound) * (1 + 1e-5) for value in values)
    assert below == 2


def test_a_summary_is_quantiles_and_counters() -> None:
    metric = Metric(name="took", unit="s")
    point = metric.summary.data_points.add(time_unix_nano=NOW_MS * NANOSECONDS, count=3, sum=4.5)
    point.quantile_values.add(quantile=0.5, value=1.0)
    point.quantile_values.add(quantile=1.0, value=math.nan)
    decoded = read(metric)
    assert by_series(decoded) == {
        ("took", (("quantile", "0.5"),)): [(0, 1.0)],
        ("took", (("quantile", "1"),)): [(0, None)],
        ("took_count", ()): [(0, 3.0)],
        ("took_sum", ()): [(0, 4.5)],
    }
    assert kinds(decoded)["took"] == ("gauge", "s")


def test_texts_of_bounds_and_attributes() -> None:
    assert [bound_text(bound) for bound in (0.005, 1.0, 1e20, math.inf)] == ["0.005", "1", "1e+20", "+Inf"]
    values = [True, 12, 0.5, b"\x00", ["a", 1], {"b": [None], "a": "x"}, None, math.nan]
    assert [shown(value) for value in values] == [  # type: ignore[arg-type]
        "true",
        "12",
        "0.5",
        "AA==",
        '["a",1]',
        '{"a":"x","b":[null]}',
        "",
        "NaN",
    ]


def every_kind(dice: random.Random) -> ExportMetricsServiceRequest:
    """A request with some of everything that JSON and protocol buffers can say."""
    summary = Metric(name="waited")
    point = summary.summary.data_points.add(time_unix_nano=NOW_MS * NANOSECONDS, count=dice.randrange(9), sum=0.5)
    point.quantile_values.add(quantile=0.9, value=dice.random())
    attributes: dict[str, Any] = {"n": dice.randrange(-9, 9), "x": dice.random(), "b": b"\x01", "t": True, "s": "é"}
    return request(
        gauge("load", number(dice.random(), **attributes), number(dice.randrange(2**62), a="1"), unit="1"),
        gauge("nan", number(math.nan), number(math.inf, a="x"), number(0.0, flags=1, a="y")),
        counter("calls", number(5, NOW_MS, NOW_MS - dice.randrange(1, 9999))),
        counter("more", number(5.5), temporality=1),
        counter("unsaid", number(5.5), temporality=0),
        histogram([1, dice.randrange(5), 3], [0.1, 2.0], count=9, total=dice.random()),
        exponential(dice.randrange(-2, 8), dice.randrange(-20, 20), [dice.randrange(3) for _ in range(9)], zeros=2),
        summary,
        resource={"service.name": "shop", "os.type": "linux"},
        scope="meters",
    )


def as_json(made: ExportMetricsServiceRequest) -> bytes:
    """As OTLP has it: kinds are numbers. Numbers of 64 bits are texts, and bytes base64."""
    return json.dumps(MessageToDict(made, use_integers_for_enums=True)).encode()


def test_json_says_the_same_as_protocol_buffers() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    binary, text = OtlpReader(), OtlpJsonReader()
    for _ in range(40):
        made = every_kind(dice)
        one, other = binary.read(made.SerializeToString(), WINDOW), text.read(as_json(made), WINDOW)
        assert sorted(rows(one.columns), key=repr) == sorted(rows(other.columns), key=repr)
        assert one.refusals == other.refusals
        for decoded in (one, other):
            decoded.confirm()
    assert text.size < 300_000


def test_json_remembers_when_counters_began() -> None:
    reader = OtlpJsonReader()
    body = as_json(request(counter("calls", number(5, NOW_MS, NOW_MS - 5))))
    first = reader.read(body, WINDOW)
    first.confirm()
    assert [len(first.columns.index), len(reader.read(body, WINDOW).columns.index)] == [2, 1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"resourceMetrics": 1}',
        '{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"timeUnixNano": "-1"}]}}]}]}]}',
        '{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"asDouble": "many"}]}}]}]}]}',
        '{"resourceMetrics": [{"resource": {"attributes": [{"key": "a", "value": {"bytesValue": "?"}}]}}]}',
        '{"resourceMetrics": [{"resource": {"attributes": [{"value": ' + '{"arrayValue": {"values": [' * 2000,
    ],
)
def test_what_is_no_such_json_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        OtlpJsonReader().read(text.encode(), WINDOW)


def test_members_that_are_not_known_are_passed_over() -> None:
    text = {"resourceMetrics": [{"schemaUrl": "x", "new": {}, "scopeMetrics": [{"metrics": [{"name": "m"}]}]}]}
    assert OtlpJsonReader().read(json.dumps(text).encode(), WINDOW).samples == 0
