"""Those who push are slowed down like everybody, told when to come again, and keep nobody else waiting."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from http_node import BOUNDS, SECRET, Node, play
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from otlp_requests import gauge, number, request
from pushing import Shop, shop
from starlette.applications import Starlette

from handlers.ingest import pushing as pushing_module
from server.auth import Authenticator
from server.lockouts import Lockouts
from server.push_routes import push_routes
from server.request_limit import RequestLimit
from storage.errors import Unavailable
from storage.samples.columns import SampleColumns

LINE = b'{"metric": "load", "value": 1}'
LINES = {"content-type": "application/x-ndjson"}
PROTOBUF = {"content-type": "application/x-protobuf"}


def limited(node: Node, credential: str, limit: RequestLimit) -> httpx.AsyncClient:
    """A client of the same node's addresses to push to, whose requests are counted."""
    lockouts = Lockouts(BOUNDS, node.parts.audit)
    authenticator = Authenticator(node.parts.database, node.parts.access, SECRET, node.now, lockouts)
    app = Starlette(routes=push_routes(node.parts, authenticator, limit, node.now))
    headers = {"Authorization": f"Bearer {credential}"}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://studio", headers=headers)
    node.clients.append(client)
    return client


def test_too_many_requests_of_a_key_are_told_when_to_come_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        limit = RequestLimit(1, 3, clock=lambda: 0.0)
        pusher = limited(node, there.secret, limit)
        answers = [await pusher.post(there.address(), content=LINE, headers=LINES) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[3].headers["retry-after"] == "1"
        assert answers[0].headers["ratelimit"].startswith('"requests";r=2;')
        for path, headers in (("otlp/v1/metrics", PROTOBUF), ("api/v1/write", PROTOBUF)):
            refused = await pusher.post(there.address(path), content=b"", headers=headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        # Another key has requests of its own.
        made = (await there.ada.post(there.address("push-keys"), json={"name": "other"})).json()
        other = limited(node, made["secret"], limit)
        assert (await other.post(there.address(), content=LINE, headers=LINES)).status_code == 200

    play(tmp_path, scenario)


def test_while_the_database_is_away_senders_are_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)

        async def away(source_id: int, columns: SampleColumns) -> None:
            raise Unavailable("not now")

        at = int(node.now().timestamp() * 1000)
        body = request(gauge("load", number(1.0, at))).SerializeToString()
        with monkeypatch.context() as patched:
            patched.setattr(node.parts.samples, "append", away)
            answer = await there.pusher.post(there.address("otlp/v1/metrics"), content=body, headers=PROTOBUF)
            assert (answer.status_code, answer.content[:2]) == (503, b"\x08\x0e")
            assert (await there.pusher.post(there.address(), content=LINE, headers=LINES)).status_code == 503
        answer = await there.pusher.post(there.address("otlp/v1/metrics"), content=body, headers=PROTOBUF)
        assert answer.status_code == 200
        assert await there.stored() == {"load": [1.0]}

    play(tmp_path, scenario)


async def _longest_pause(there: Shop, body: bytes) -> float:
    """How long the loop was kept from others at most while the body was taken, in seconds of its thread."""
    longest, pushing = (
        0.0,
        asyncio.ensure_future(there.pusher.post(there.address("otlp/v1/metrics"), content=body, headers=PROTOBUF)),
    )
    while not pushing.done():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    assert (await pushing).status_code == 200
    return longest


def test_a_large_body_is_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in the loop it would keep all others waiting for as long as it takes."""
    made = ExportMetricsServiceRequest()
    points = [number(float(i), i="x" * 100 + str(i)) for i in range(20)]
    made.CopyFrom(request(gauge("load", *points)))
    # Points without a time: each is read, and refused.
    for point in made.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points:
        point.time_unix_nano = 0
    one = made.SerializeToString()
    body = one * 400

    async def scenario(node: Node) -> None:
        there = await shop(node)
        beside = await _longest_pause(there, body)
        monkeypatch.setattr(pushing_module, "MOST_BYTES_AT_ONCE", len(body))
        within = await _longest_pause(there, body)
        print(f"beside the loop {beside * 1000:.0f} ms, within it {within * 1000:.0f} ms")
        assert beside < within / 2

    play(tmp_path, scenario)
