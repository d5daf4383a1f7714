"""Who may push samples, to which source, and that nothing in a request gets them into another."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

from http_node import Node, play
from otlp_requests import gauge, key_values, number, request
from pushing import LINES, OTLP, PROTOBUF, REMOTE_WRITE, WRITE, now_ms, post, shop

from storage import data_sources, workspaces


def test_no_label_says_another_source(tmp_path: Any) -> None:
    """Whatever is pushed is of the source in the address, under whatever labels."""
    names = ("data_source_id", "source_id", "source", "workspace_id", "workspace", "tenant", "__tenant_id__")

    async def scenario(node: Node) -> None:
        there = await shop(node)
        other = str(there.other_id)
        labels = dict.fromkeys(names, other)
        point = number(1.0, now_ms(node))
        point.attributes.extend(key_values(labels))
        otlp = request(gauge("load", point), resource=labels).SerializeToString()
        headers = {**PROTOBUF, "x-scope-orgid": other}
        assert (await post(there, OTLP, otlp, headers)).status_code == 200
        lines = json.dumps({"metric": "load", "value": 1, "labels": labels}).encode()
        assert (await post(there, "samples", lines, LINES)).status_code == 200
        for body in (
            {"data_source_id": there.other_id, "samples": []},
            {"samples": [{"metric": "m", "value": 1, "data_source_id": there.other_id}]},
            {"samples": [], "source": there.other_id},
        ):
            assert (await there.pusher.post(there.address(), json=body)).status_code == 400
        assert await there.stored(there.other_id) == {}
        (series, *_) = await node.parts.samples.series(there.source_id)
        assert dict(series.key.labels) == labels

    play(tmp_path, scenario)


def test_a_push_key_is_for_one_source_and_nothing_else(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        line = b'{"metric": "load", "value": 1}'
        for path, headers in ((OTLP, PROTOBUF), (WRITE, REMOTE_WRITE), ("samples", LINES)):
            for source_id, status in ((there.other_id, 403), (99, 403)):
                answer = await there.pusher.post(there.address(path, source_id), content=line, headers=headers)
                assert answer.status_code == status
        assert await there.stored(there.other_id) == {}
        for method, path in (("GET", "/me"), ("GET", there.address("push-keys")), ("GET", "/data-sources")):
            assert (await there.pusher.request(method, path)).status_code == 401
        refused = [row for row in await node.audited() if row.action == "metrics.push" and row.outcome == "refused"]
        assert {row.target for row in refused} == {str(there.other_id), "99"}
        assert {row.details["reason"] for row in refused} == {"wrong_source"}

    play(tmp_path, scenario)


def test_who_may_push_and_by_which_header(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)

        async def push(**headers: str) -> int:
            line = b'{"metric": "load", "value": 1}'
            answer = await node.client(None).post(there.address(), content=line, headers={**LINES, **headers})
            return answer.status_code

        def basic(text: str) -> str:
            return "Basic " + base64.b64encode(text.encode()).decode()

        tokens = {user: node.token(user) for user in ("ada", "bob", "eve", "admin", "mallory")}
        await node.make_user("mallory")
        assert [await push(authorization=f"Bearer {tokens[user]}") for user in tokens] == [200, 200, 403, 200, 404]
        assert await push(authorization=f"Bearer {there.secret}") == 200
        assert await push(authorization=basic(f"anything:{there.secret}")) == 200
        assert await push(authorization=basic(f"bob:{tokens['bob']}")) == 200
        for wrong in (
            f"Bearer {there.secret}x",
            basic("anything"),
            basic(f"{there.secret}:"),
            "Basic ???",
            "Bearer ",
            f"Digest {there.secret}",
        ):
            assert await push(authorization=wrong) == 401, wrong
        assert await push() == 401

    play(tmp_path, scenario)


def test_a_revoked_key_and_a_source_that_is_gone_take_nothing(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        second = (await there.ada.post(there.address("push-keys"), json={"name": "Second"})).json()
        pusher = node.client(None, credential=second["secret"])
        line = b'{"metric": "load", "value": 1}'
        assert (await post(there, "samples", line, LINES)).status_code == 200
        revoked = await there.ada.delete(there.address(f"push-keys/{there.key_id}"))
        assert revoked.status_code == 204
        assert (await post(there, "samples", line, LINES)).status_code == 401
        assert (await pusher.post(there.address(), content=line, headers=LINES)).status_code == 200
        async with node.parts.database.write() as connection:
            await data_sources.delete(connection, there.source_id, at=node.now())
        node.clock += timedelta(seconds=1)
        assert (await pusher.post(there.address(), content=line, headers=LINES)).status_code == 404

    play(tmp_path, scenario)


def test_a_deleted_workspace_takes_nothing(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        async with node.parts.database.write() as connection:
            await workspaces.delete(connection, "lab", at=node.now())
        answer = await post(there, "samples", b'{"metric": "load", "value": 1}', LINES)
        assert answer.status_code == 404

    play(tmp_path, scenario)
