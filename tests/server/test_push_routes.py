"""Samples pushed over HTTP: by whom, in which form, how they are answered, and that they get into one source only."""

from __future__ import annotations

import gzip
import json
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from http_node import Node, play
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from otlp_requests import counter, gauge, number, request
from pushing import LINES, OTLP, PROTOBUF, REMOTE_WRITE, WRITE, now_ms, post, shop

from handlers.changes import Changed
from handlers.ingest.wire import write_bytes, write_varint
from handlers.parts import Limits
from storage.samples.policy import Policy
from storage.samples.store import SampleStore


def otlp_body(node: Node, *values: float, at: int = 0) -> bytes:
    points = [number(value, now_ms(node) + at, a=str(i)) for i, value in enumerate(values)]
    return bytes(request(gauge("load", *points)).SerializeToString())


def remote_body(node: Node, *values: float, at: int = 0, name: str = "load", more: bytes = b"") -> bytes:
    """Of each value a series of its own."""
    series = b""
    for i, value in enumerate(values):
        labels = write_bytes(1, write_bytes(1, b"__name__") + write_bytes(2, name.encode()))
        labels += write_bytes(1, write_bytes(1, b"i") + write_bytes(2, str(i).encode()))
        series += write_bytes(1, labels + write_bytes(2, sample_message(value, now_ms(node) + at)))
    return bytes(cramjam.snappy.compress_raw(series + more))


def sample_message(value: float, at_ms: int) -> bytes:
    return b"\x09" + struct.pack("<d", value) + write_varint(2, at_ms)


def test_a_push_key_pushes_in_every_form(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        heard: list[Changed] = []
        node.parts.changes.listen(heard.append)
        otlp = await post(there, OTLP, otlp_body(node, 1.0, 2.0), PROTOBUF)
        assert (otlp.status_code, otlp.content, otlp.headers["content-type"]) == (200, b"", "application/x-protobuf")
        written = await post(there, WRITE, remote_body(node, 3.0, at=1), REMOTE_WRITE)
        assert (written.status_code, written.content) == (204, b"")
        assert written.headers["x-prometheus-remote-write-samples-written"] == "1"
        line = b'{"metric": "load", "value": 4, "labels": {"i": "9"}}\n\n{"metric": "load", "value": null}\n'
        plain = await post(there, "samples", line, LINES)
        assert (plain.status_code, plain.json()) == (200, {"stored": 2, "refused": 0, "message": None})
        values = (await there.stored())["load"]
        assert sorted(value for value in values if not math.isnan(value)) == [1.0, 2.0, 3.0, 4.0]
        assert len(values) == 5
        assert set(heard) == {Changed("metrics", "lab", f"source:{there.source_id}")}

    play(database_url, scenario)


def test_a_repeated_request_changes_nothing(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        counted = request(counter("calls", number(5, now_ms(node), now_ms(node) - 1000))).SerializeToString()
        for path, body, headers in (
            (OTLP, counted, PROTOBUF),
            (WRITE, remote_body(node, 1.0, 2.0), REMOTE_WRITE),
        ):
            for _ in range(3):
                assert (await post(there, path, body, headers)).status_code in (200, 204)
        stored = await there.stored()
        assert stored["load"] == [1.0, 2.0]
        assert stored["calls"][1:] == [5.0]

    play(tmp_path, scenario)


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_otlp_comes_packed_or_not_and_as_json(tmp_path: Any, encoding: str) -> None:
    packings: dict[str, Callable[[bytes], bytes]] = {
        "identity": bytes,
        "gzip": gzip.compress,
        "zstd": lambda body: bytes(cramjam.zstd.compress(body)),
    }
    pack = packings[encoding]

    async def scenario(node: Node) -> None:
        there = await shop(node)
        made = ExportMetricsServiceRequest.FromString(otlp_body(node, 1.0))
        as_json = json.dumps(MessageToDict(made, use_integers_for_enums=True)).encode()
        headers = {"content-encoding": encoding}
        binary = await post(there, OTLP, pack(made.SerializeToString()), {**headers, **PROTOBUF})
        assert binary.status_code == 200
        later = {**headers, "content-type": "application/json"}
        text = await post(there, OTLP, pack(as_json.replace(b'"asDouble": 1.0', b'"asDouble": 2.5')), later)
        assert (text.status_code, text.json()) == (200, {})
        assert (await there.stored())["load"] == [2.5]

    play(tmp_path, scenario)


def test_what_of_otlp_is_refused_is_told_in_the_form_it_came_in(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        body = request(
            gauge("load", number(1.0, now_ms(node)), number(2.0, now_ms(node) + 601_000, a="b")),
            counter("unsaid", number(1, now_ms(node)), temporality=0),
        )
        answer = await post(there, OTLP, body.SerializeToString(), PROTOBUF)
        partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
        assert (answer.status_code, partial.rejected_data_points) == (200, 2)
        assert "ten minutes ahead" in partial.error_message
        assert (await there.stored())["load"] == [1.0]
        as_json = json.dumps(MessageToDict(body, use_integers_for_enums=True)).encode()
        text = await post(there, OTLP, as_json, {"content-type": "application/json"})
        assert text.json()["partialSuccess"]["rejectedDataPoints"] == "2"
        broken = await post(there, OTLP, b"\x0a\xff", PROTOBUF)
        assert (broken.status_code, broken.headers["content-type"]) == (400, "application/x-protobuf")
        assert broken.content[:2] == b"\x08\x03"
        assert b"cannot be read" in broken.content
        text = await post(there, OTLP, b"{", {"content-type": "application/json"})
        assert (text.status_code, text.json()["code"]) == (400, 3)
        other = await post(there, OTLP, b"", {"content-type": "text/plain"})
        assert (other.status_code, other.json()["code"]) == (415, "unsupported_media_type")

    play(tmp_path, scenario)


def test_remote_write_tells_what_was_written_and_refuses_what_it_cannot_read(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        histogram = write_bytes(
            1, write_bytes(1, write_bytes(1, b"__name__") + write_bytes(2, b"h")) + write_bytes(4, b"")
        )
        partly = await post(there, WRITE, remote_body(node, 1.0, more=histogram), REMOTE_WRITE)
        assert (partly.status_code, partly.json()["code"]) == (400, "samples_refused")
        assert "native histogram" in partly.json()["message"]
        assert partly.headers["x-prometheus-remote-write-samples-written"] == "1"
        assert (await there.stored())["load"] == [1.0]
        late = await post(there, WRITE, remote_body(node, 1.0, at=-9 * 86_400_000), REMOTE_WRITE)
        assert (late.status_code, late.headers["x-prometheus-remote-write-samples-written"]) == (400, "0")
        for headers, status in (
            ({**REMOTE_WRITE, "content-type": "application/json"}, 415),
            ({**REMOTE_WRITE, "content-type": "application/x-protobuf;proto=some.Other"}, 415),
            ({**REMOTE_WRITE, "content-encoding": "gzip"}, 415),
            (PROTOBUF, 415),
        ):
            assert (await post(there, WRITE, remote_body(node, 1.0), headers)).status_code == status
        assert (await post(there, WRITE, b"not snappy", REMOTE_WRITE)).status_code == 400
        assert (await post(there, WRITE, bytes(cramjam.snappy.compress_raw(b"\xff")), REMOTE_WRITE)).status_code == 400

    play(tmp_path, scenario)


def test_what_would_unpack_to_too_much_is_refused(tmp_path: Any) -> None:
    zeros = bytes(8 * 1024 * 1024)
    packed = zlib.compress(zeros, 9, 31)
    bombs = (
        (OTLP, packed, {**PROTOBUF, "content-encoding": "gzip"}),
        (OTLP, bytes(cramjam.zstd.compress(zeros)), {**PROTOBUF, "content-encoding": "zstd"}),
        (WRITE, bytes(cramjam.snappy.compress_raw(zeros)), REMOTE_WRITE),
        (WRITE, b"\xff\xff\xff\xff\x0f", REMOTE_WRITE),
        ("samples", packed, {**LINES, "content-encoding": "gzip"}),
    )

    async def scenario(node: Node) -> None:
        there = await shop(node)
        for path, body, headers in bombs:
            answer = await post(there, path, body, headers)
            assert answer.status_code == 413
            assert b"when unpacked" in answer.content

    play(tmp_path, scenario, limits=Limits(body_bytes=4 * 1024 * 1024))


def test_a_body_that_is_too_large_is_refused(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        for path, headers in ((OTLP, PROTOBUF), (WRITE, REMOTE_WRITE), ("samples", LINES)):
            assert (await post(there, path, bytes(1001), headers)).status_code == 413

    play(tmp_path, scenario, limits=Limits(body_bytes=1000))


def test_bad_lines_are_told_by_number_and_nothing_is_stored(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        body = b'{"metric": "a", "value": 1}\n\n{"metric": "a"}\nnonsense\n{"metric": "a", "value": 1, "x": 2}\n'
        answer = await post(there, "samples", body, LINES)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_samples")
        assert [line["line"] for line in answer.json()["details"]["lines"]] == [3, 4, 5]
        assert answer.json()["message"].startswith("Nothing was stored. Line 3 is no sample: ")
        assert await there.stored() == {}
        unfit = json.dumps([{"metric": "a", "value": 1}, {"metric": "a\n", "value": 1}])
        answer = await post(there, "samples", unfit.encode(), {"content-type": "application/json"})
        assert [line["line"] for line in answer.json()["details"]["lines"]] == [2]
        listed = await there.pusher.post(there.address(), json=[{"metric": "a", "value": "1"}])
        assert (listed.status_code, listed.json()["details"]["parameter"]) == (400, "samples[0].value")
        assert await there.stored() == {}
        late = [{"metric": "a", "value": 1}, {"metric": "a", "value": 1, "at": "2020-01-01T00:00:00Z"}]
        answer = await there.pusher.post(there.address(), json=late)
        assert (answer.json()["stored"], answer.json()["refused"]) == (1, 1)
        assert "before what is still kept" in answer.json()["message"]

    play(tmp_path, scenario)


def test_more_series_than_a_source_may_have_are_told_to_who_pushes_them(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        few = SampleStore(node.parts.database, node.now, Policy(series_of_source=3))
        object.__setattr__(node.parts, "samples", few)
        answer = await post(there, OTLP, otlp_body(node, 1.0, 2.0, 3.0, 4.0, 5.0), PROTOBUF)
        partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
        assert partial.rejected_data_points == 2
        assert "as many series as it may have" in partial.error_message
        assert (await there.stored())["load"] == [1.0, 2.0, 3.0]

    play(tmp_path, scenario)


def test_the_operation_pushes_in_batches_too(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        parameters = {"data_source_id": there.source_id, "samples": [{"metric": "load", "value": 1.5}]}
        call = {"id": 1, "operation": "metrics.push", "parameters": parameters}
        heard: list[Changed] = []
        node.parts.changes.listen(heard.append)
        answer = (await node.client("bob").post("/batch", json=[call])).json()[0]
        assert (answer["status"], answer["result"]["stored"]) == (200, 1)
        # Of this source, and not of all that is measured anywhere.
        assert heard == [Changed("metrics", "lab", f"source:{there.source_id}")]
        refused = (await node.client("eve").post("/batch", json=[call])).json()[0]
        assert refused["status"] == 403
        assert (await there.stored()) == {"load": [1.5]}

    play(tmp_path, scenario)
