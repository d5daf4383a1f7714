"""The log's lines: what they hold, the request they belong to, and the credentials they never hold."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from figures import asgi_client
from hand_transport import HandTransport
from node_in_process import Node, running_node

from crdt.lib0 import write_varuint
from handlers.registry import Principal
from server.hocuspocus import HocuspocusDialect
from server.logs import JsonFormatter, TextFormatter, name_node, process_name, request_id, without_credentials
from server.studio_frames import REQUEST, STUDIO_PREFIX

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def record(message: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("server.x", logging.WARNING, __file__, 1, message, arguments, None)
    made.created = 1767268800.5
    if error:
        made.exc_info = (ValueError, ValueError("token=abc"), None)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"GET /ws?token={JWT} 101",
        f"GET /ws?x=1&ticket={JWT}&y=2",
        f'"Authorization: Bearer {JWT}"',
        f"sec-websocket-protocol: bearer.{JWT}",
        f"connection with {JWT} closed",
    ],
)
def test_credentials_are_taken_out(text: str) -> None:
    assert "c2lnbmF0dXJl" not in without_credentials(text)
    assert "***" in without_credentials(text)


def test_api_keys_are_taken_out() -> None:
    assert without_credentials("key csk_abc-DEF_123 used") == "key csk_*** used"


def test_other_text_is_left_alone() -> None:
    text = "ada opened default/notes?version=3 with 5 tokens"
    assert without_credentials(text) == text


def test_a_text_line() -> None:
    line = TextFormatter().format(record("hello %s", "ada"))
    assert line == "2026-01-01T12:00:00.500Z WARNING server.x: hello ada"


def test_a_line_break_in_a_name_makes_no_second_record() -> None:
    assert "\n" not in TextFormatter().format(record("room %s", "a\n2026-01-01 ERROR forged"))


def test_a_json_line() -> None:
    entry = json.loads(JsonFormatter().format(record("hello %s\nthere", "ada", error=True)))
    assert entry["time"] == "2026-01-01T12:00:00.500Z"
    assert (entry["level"], entry["logger"], entry["message"]) == ("warning", "server.x", "hello ada\nthere")
    assert "ValueError" in entry["exception"]
    assert "abc" not in entry["exception"]


# Request ids


class Kept(logging.Handler):
    """What a log in JSON would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, root = Kept(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with running_node(folder, **settings) as node:
            await node.enlist("ada")
            await scenario(node)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/docs", "/openapi.json", "/", "/me", "/nowhere"])
def test_every_answer_says_which_request_it_is_for(tmp_path: Path, path: str) -> None:
    async def scenario(node: Node) -> None:
        async with asgi_client(node.studio.app) as client:
            answer = await client.get(path, headers={"X-Request-Id": "the-callers.own:1"})
            assert answer.headers.get_list("x-request-id") == ["the-callers.own:1"]
            made = [(await client.get(path)).headers["x-request-id"] for _ in range(2)]
            assert made[0] != made[1]
            if answer.status_code >= 400:
                assert answer.json()["request_id"] == "the-callers.own:1"

    play(tmp_path, scenario)


@pytest.mark.parametrize("forged", ["two words", "x" * 65, "", "a\u00e9".encode().decode("latin-1"), '"quoted"'])
def test_a_request_id_that_is_no_plain_word_is_replaced(tmp_path: Path, forged: str) -> None:
    async def scenario(node: Node) -> None:
        async with asgi_client(node.studio.app) as client:
            answer = await client.get("/health", headers=[(b"X-Request-Id", forged.encode("latin-1"))])
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])

    play(tmp_path, scenario)


def test_what_is_logged_for_a_request_carries_its_id(tmp_path: Path, kept: Kept) -> None:
    async def scenario(node: Node) -> None:
        async with asgi_client(node.studio.app) as client:
            headers = {"Authorization": f"Bearer {node.token('ada')}"}
            ids = [f"request-{number}" for number in range(5)]
            await asyncio.gather(*(client.get("/me", headers={**headers, "X-Request-Id": each}) for each in ids))
        served = [entry for entry in kept.entries if entry["logger"] == "server.access"]
        assert sorted(entry["request_id"] for entry in served) == ids
        assert request_id.get() is None

    play(tmp_path, scenario, access_log=True)


def test_a_fault_in_a_request_is_found_by_the_id_that_its_caller_got(tmp_path: Path, kept: Kept) -> None:
    async def scenario(node: Node) -> None:
        del node.studio.parts.rooms.writer.stored
        async with asgi_client(node.studio.app) as client:
            answer = await client.get("/metrics")
        assert answer.status_code == 500
        (entry,) = (entry for entry in kept.entries if entry["level"] == "error")
        assert entry["request_id"] == answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "AttributeError" in entry["exception"]
        node.studio.parts.rooms.writer.stored = 0

    play(tmp_path, scenario)


def test_a_fault_in_a_request_over_a_socket_carries_its_id_as_well(tmp_path: Path, kept: Kept) -> None:
    async def fails(context: Any, request: Any) -> None:
        logging.getLogger("a.handler").warning("about to fail")
        raise RuntimeError("of ours")

    async def scenario(node: Node) -> None:
        gateway, line = node.studio.gateway, HandTransport()
        gateway.operations["users.me"] = replace(gateway.operations["users.me"], handler=fails)
        dialect = HocuspocusDialect(gateway, line)
        dialect.signed_in(Principal("ada", False, "token"))
        body = msgspec.msgpack.encode({"id": 1, "operation": "users.me", "parameters": {}})
        dialect.receive(STUDIO_PREFIX + write_varuint(REQUEST) + body)
        await gateway.idle()
        answered = msgspec.msgpack.decode(line.sent[-1][len(STUDIO_PREFIX) + 1 :])
        (entry,) = (entry for entry in kept.entries if entry["logger"] == "a.handler")
        assert entry["request_id"] == answered["request_id"]

    play(tmp_path, scenario)


def test_the_access_log_has_a_line_a_request_and_none_for_probes(tmp_path: Path, kept: Kept) -> None:
    async def scenario(node: Node) -> None:
        async with asgi_client(node.studio.app) as client:
            headers = {"Authorization": f"Bearer {node.token('ada')}"}
            await client.get("/me", headers=headers)
            await client.get("/docs?ticket=secret")
            for probe in ("/health", "/ready", "/metrics"):
                await client.get(probe)
            await client.get("/metrics", headers={"Host": "elsewhere.example"})
        served = [entry for entry in kept.entries if entry["logger"] == "server.access"]
        assert [(entry["path"], entry["status"]) for entry in served] == [
            ("/me", 200),
            ("/docs", 200),
            ("/metrics", 401),
        ]
        entry = served[0]
        assert (entry["user"], entry["client"], entry["method"]) == ("ada", "127.0.0.1", "GET")
        assert (entry["operation"], entry["level"]) == ("users.me", "info")
        assert 0 < entry["seconds"] < 10
        assert re.fullmatch(r"127\.0\.0\.1 ada GET /me 200 \d+\.\d ms", entry["message"])
        assert "secret" not in "".join(kept.lines)

    play(tmp_path, scenario, access_log=True)


def test_without_the_setting_there_is_no_access_log(tmp_path: Path, kept: Kept) -> None:
    async def scenario(node: Node) -> None:
        async with asgi_client(node.studio.app) as client:
            await client.get("/me")
        assert [entry for entry in kept.entries if entry["logger"] == "server.access"] == []

    play(tmp_path, scenario)


def test_records_say_which_node_they_are_of() -> None:
    formatter = JsonFormatter()
    assert json.loads(formatter.format(record("hello")))["node"] == process_name()
    handler, root = logging.StreamHandler(), logging.getLogger()
    handler.setFormatter(formatter)
    root.addHandler(handler)
    try:
        name_node("node-7")
    finally:
        root.removeHandler(handler)
    assert json.loads(formatter.format(record("hello")))["node"] == "node-7"


def test_a_text_line_within_a_request() -> None:
    token = request_id.set("4f2a")
    try:
        assert TextFormatter().format(record("hello")).endswith("WARNING server.x [4f2a]: hello")
    finally:
        request_id.reset(token)


def test_a_workers_lines_say_which_it_is() -> None:
    assert (
        TextFormatter(3).format(record("hello"))
        == f"2026-01-01T12:00:00.500Z [3:{os.getpid()}] WARNING server.x: hello"
    )
    entry = json.loads(JsonFormatter(3).format(record("hello")))
    assert (entry["worker"], entry["pid"]) == (3, os.getpid())
    assert "worker" not in json.loads(JsonFormatter().format(record("hello")))
