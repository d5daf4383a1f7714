"""What exporters answer with is read as Prometheus' own parser reads it, again and again, and by its line if not."""

from __future__ import annotations

import math
import random
import time

import pytest
from otlp_requests import NOW_MS, WINDOW, by_series, kinds
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from prometheus_client.parser import text_string_to_metric_families

from handlers.exposition import BadExposition, ExpositionReader
from handlers.gathered_samples import TOO_OLD

ODD = 'a "quoted"\\ and\nbroken é,{}= value'


def exporter(dice: random.Random) -> CollectorRegistry:
    registry = CollectorRegistry()
    calls = Counter("calls", "Calls", ["route"], registry=registry)
    load = Gauge("load", "Load with a { in its help", ["host"], registry=registry)
    took = Histogram("took_seconds", "Time", ["route"], registry=registry)
    waited = Summary("waited_seconds", "Time", registry=registry)
    Info("build", "Build", registry=registry).info({"version": "1"})
    for label in ("/", ODD, "x" * 30):
        calls.labels(label).inc(dice.randrange(1000))
        load.labels(label).set(dice.choice([dice.random(), -1e300, 5e-324, math.nan, 0.0]))
        took.labels(label).observe(dice.random() * 20)
    waited.observe(dice.random())
    return registry


def test_it_is_read_as_prometheus_reads_it() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice, reader = random.Random(seed), ExpositionReader()
    for _ in range(5):
        body = generate_latest(exporter(dice))
        expected = {}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                labels = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
                expected[sample.name, labels] = [(0, None if math.isnan(sample.value) else sample.value)]
        assert by_series(reader.read(body, NOW_MS, WINDOW)) == expected


def test_kinds_are_what_the_types_say() -> None:
    body = generate_latest(exporter(random.Random(1)))
    found = {name: kind for name, (kind, _) in kinds(ExpositionReader().read(body, NOW_MS, WINDOW)).items()}
    counted = {"calls_total", "took_seconds_bucket", "took_seconds_count", "took_seconds_sum"}
    counted |= {"waited_seconds_count", "waited_seconds_sum"}
    assert {name for name, kind in found.items() if kind == "counter"} == counted
    assert {"load", "build_info", "calls_created"} <= set(found)


def test_open_metrics_has_units_times_in_seconds_and_exemplars() -> None:
    body = generate_open_metrics(exporter(random.Random(1)))  # type: ignore[no-untyped-call]
    assert by_series(ExpositionReader().read(body, NOW_MS, WINDOW, open_metrics=True))
    text = (
        "# TYPE took_seconds counter\n# UNIT took_seconds seconds\n"
        f'took_seconds_total 5 {NOW_MS / 1000 - 1.5} # {{trace_id="x"}} 0.5 {NOW_MS / 1000}\n'
        "# EOF\n"
    )
    decoded = ExpositionReader().read(text.encode(), NOW_MS, WINDOW, open_metrics=True)
    assert by_series(decoded) == {("took_seconds_total", ()): [(-1500, 5.0)]}
    assert kinds(decoded) == {"took_seconds_total": ("counter", "seconds")}


def test_times_of_lines_count_and_are_looked_at() -> None:
    text = f"a 1 {NOW_MS - 5}\nb 2 1\nc\t3\t\nd  +Inf\n" + '{"e.f", "a b"="c"} 4\n' + 'g{a="b",} 5\r\n'
    decoded = ExpositionReader().read(text.encode(), NOW_MS, WINDOW)
    assert by_series(decoded) == {
        ("a", ()): [(-5, 1.0)],
        ("c", ()): [(0, 3.0)],
        ("e.f", (("a b", "c"),)): [(0, 4.0)],
        ("g", (("a", "b"),)): [(0, 5.0)],
    }
    assert decoded.refusals.reasons[TOO_OLD] == 1


def test_a_process_that_began_anew_parts_its_counters() -> None:
    reader = ExpositionReader()

    def scrape(start: float, calls: int) -> dict[str, list[tuple[int, float | None]]]:
        text = f"# TYPE calls_total counter\ncalls_total {calls}\nload 1\nprocess_start_time_seconds {start}\n"
        decoded = reader.read(text.encode(), NOW_MS, WINDOW)
        decoded.confirm()
        return {name: values for (name, _), values in by_series(decoded).items()}

    began = NOW_MS / 1000 - 60
    first = scrape(began, 10)
    assert first["calls_total"] == [(-60_001, None), (0, 10.0)]
    assert first["load"] == [(0, 1.0)]
    assert scrape(began, 11)["calls_total"] == [(0, 11.0)]
    # It counted on beyond what it had: nothing else tells.
    assert scrape(began + 55, 12)["calls_total"] == [(-5001, None), (0, 12.0)]


def test_another_type_makes_another_kind() -> None:
    reader = ExpositionReader()
    assert kinds(reader.read(b"ticks 1\n", NOW_MS, WINDOW))["ticks"][0] == "gauge"
    assert kinds(reader.read(b"# TYPE ticks counter\nticks 1\n", NOW_MS, WINDOW))["ticks"][0] == "counter"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a 1\nb\n", 2),
        ("a one\n", 1),
        ("a 1_000\n", 1),
        ("a 1 2 3\n", 1),
        ("a 1 soon\n", 1),
        ('a{b="c" 1\n', 1),
        ('a{b="c}} 1\n', 1),
        ("a{b=c} 1\n", 1),
        ("a{b} 1\n", 1),
        ('{b="c"} 1\n', 1),
        ("# fine\n\na 1\n=b 1\n", 4),
    ],
)
def test_what_is_not_in_the_format_is_told_by_its_line(text: str, line: int) -> None:
    for reader in (ExpositionReader(), _that_knows(b"a 1\n")):
        with pytest.raises(BadExposition, match=rf"^Line {line}\b"):
            reader.read(text.encode(), NOW_MS, WINDOW)


def _that_knows(body: bytes) -> ExpositionReader:
    reader = ExpositionReader()
    reader.read(body, NOW_MS, WINDOW)
    return reader


def test_ten_thousand_known_lines_are_read_in_no_time() -> None:
    """At most a fifth of what Prometheus' own parser for Python takes."""
    body = "".join(f'calls_total{{host="node-{i}",route="/a/{i % 7}"}} {i}.5\n' for i in range(10_000)).encode()
    reader = _that_knows(body)
    ours = min(_seconds(lambda: reader.read(body, NOW_MS, WINDOW)) for _ in range(3))
    theirs = _seconds(lambda: list(text_string_to_metric_families(body.decode())))
    assert ours < theirs / 5


def _seconds(work: object) -> float:
    began = time.process_time()
    assert callable(work)
    work()
    return time.process_time() - began
