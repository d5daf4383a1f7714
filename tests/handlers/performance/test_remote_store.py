"""The same questions, of another store."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from http_node import START, Node, play
from metric_stores import STORES, is_installed, push, running_store
from receivers import Received, Receiver, Reply, receiving
from stored_measurements import key, make_source, ms, store

from handlers.access import Role
from handlers.parts import Outgoing
from handlers.performance.answers import Measurements
from handlers.performance.metrics import get_metrics
from handlers.performance.promql import matching, values
from handlers.performance.questions import GetMetrics
from handlers.performance.selectors import read_selectors
from handlers.prometheus_store import PrometheusStore, store_at
from handlers.registry import Unavailable
from storage.data_sources import DataSource

TEN = 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu.busy", '{data_source_id="7",__name__="cpu_busy"}'),
        ("cpu.*", '{data_source_id="7",__name__=~"cpu_.*"}'),
        ('a{host="x\\"y",mode!~"u.*"}', '{data_source_id="7",__name__="a",host="x\\"y",mode!~"u.*"}'),
        # Both have to hold, so nobody gets at another source by a label.
        ('a{data_source_id="8"}', '{data_source_id="7",__name__="a",data_source_id="8"}'),
    ],
)
def test_selectors_are_those_of_one_source(text: str, expected: str) -> None:
    (selector,) = read_selectors([text])
    assert matching(7, selector) == expected


def test_values_of_steps() -> None:
    series = '{data_source_id="7",__name__="a"}'
    assert values(7, "a", "rate", TEN) == f"rate({series}[60000ms])"
    assert values(7, "a", "avg", TEN) == f"(avg_over_time({series}[10000ms])) or ({series} + 0)"
    assert values(7, "a", "count", TEN) == f"count_over_time({series}[10000ms])"


def run(url: str, scenario: Callable[[Node, DataSource], Awaitable[None]]) -> None:
    async def with_source(node: Node) -> None:
        await node.make_workspace("lab", vera=Role.VIEWER)
        await scenario(node, await make_source(node))

    play(url, with_source)


async def ask(node: Node, remote: PrometheusStore | None, **parameters: Any) -> Measurements:
    """Asks of another store, or of the node's own."""
    parts = dataclasses.replace(node.parts, outgoing=Outgoing(metrics_store=remote))
    context = dataclasses.replace(node.context("vera"), parts=parts)
    return await get_metrics(context, GetMetrics(data_source_id=1, **parameters))


def script(receiver: Receiver, **answers: Any) -> None:
    """Answers as such a store, with what is given for the last part of each path."""

    async def prepare(request: Received) -> None:
        data = answers[request.path.rpartition("/")[2]]
        receiver.replies = [Reply(body=json.dumps({"status": "success", "data": data}).encode())]

    receiver.on_request = prepare


def test_a_question_is_asked_of_the_store(sqlite_url: str) -> None:
    async def scenario(node: Node, _: DataSource) -> None:
        end = ms(START) / 1000
        line = {"metric": {"database": "x"}, "values": [[end - 20.001, "2.5"], [end - 0.001, "NaN"]]}
        async with receiving() as receiver:
            script(
                receiver,
                series=[{"__name__": "commits", "data_source_id": "1", "database": "x"}],
                metadata={"commits": [{"type": "counter", "help": "", "unit": ""}]},
                query_range={"resultType": "matrix", "result": [line]},
            )
            remote = store_at(f"{receiver.url}/prefix", "secret")
            answer = await ask(node, remote, time_range="30s", step="10s", metrics=["commits"])
        (told,) = answer.series
        assert (answer.tier, told.kind, told.bucket, told.labels) == ("store", "counter", "rate", {"database": "x"})
        assert told.values == [2.5, None, None]
        asked = {each.path.rpartition("/")[2]: each for each in receiver.received}
        assert asked["series"].path == "/hook/prefix/api/v1/series"
        assert asked["series"].headers["authorization"] == "Bearer secret"
        form = parse_qs(asked["query_range"].body.decode())
        assert (form["start"], form["end"]) == ([f"{end - 20.001:.3f}"], [f"{end - 0.001:.3f}"])
        assert form["query"] == ['rate({data_source_id="1",__name__="commits"}[60000ms])']

    run(sqlite_url, scenario)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=422, body=b'{"status":"error","errorType":"execution","error":"too many samples"}'), "too many"),
        (Reply(status=502, body=b"<html>"), "status 502"),
        (Reply(cuts=True), "was not reached"),
    ],
)
def test_what_the_store_cannot_do_is_told(sqlite_url: str, reply: Reply, words: str) -> None:
    async def scenario(node: Node, _: DataSource) -> None:
        async with receiving() as receiver:
            receiver.usual = reply
            with pytest.raises(Unavailable, match=words) as refused:
                await ask(node, store_at(receiver.url))
            assert refused.value.code == "metrics_store_failed"

    run(sqlite_url, scenario)


QUESTIONS: tuple[dict[str, Any], ...] = (
    {"metrics": ["load"], "bucket": "max"},
    {"metrics": ['load{host=~"a|c"}']},
    {"metrics": ["load"], "aggregate": "sum"},
    {"metrics": ["load"], "aggregate": "last", "group_by": ["host"]},
    {"metrics": ["*total"]},
)


@pytest.mark.parametrize("name", STORES)
def test_a_real_store_says_what_our_own_says(sqlite_url: str, tmp_path: Path, name: str) -> None:
    if not is_installed(name):
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")

    async def scenario(node: Node, source: DataSource) -> None:
        node.clock = datetime.now(UTC).replace(second=0, microsecond=0)
        times = [ms(node.clock) - 1_200_000 + i * TEN for i in range(120)]
        samples = {
            key("load", host="a"): [(at, float(i % 7)) for i, at in enumerate(times)],
            key("load", host="b"): [(at, float(i % 5) * 10) for i, at in enumerate(times)],
            key("commits_total", "counter", database="x"): [(at, 30.0 * i) for i, at in enumerate(times)],
        }
        await store(node, source, samples)
        folder = tmp_path / name
        folder.mkdir()
        async with running_store(name, folder) as url:
            await push(url, source.id, samples)
            for question in QUESTIONS:
                parameters = {"time_range": "10m", "step": "1m", **question}
                ours, theirs = await ask(node, None, **parameters), await ask(node, store_at(url), **parameters)
                require_same(ours, theirs)

    run(sqlite_url, scenario)


def require_same(ours: Measurements, theirs: Measurements) -> None:
    assert ours.series
    assert ours.times == theirs.times
    assert [line.labels for line in ours.series] == [line.labels for line in theirs.series]
    for one, other in zip(ours.series, theirs.series, strict=True):
        assert other.values == pytest.approx(one.values, rel=0.01)
