"""What is answered to bytes that are no HTTP request."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from node_in_process import listening

from server.security_headers import HEADERS

DEADLINE = 10.0


async def answer_to(port: int, request: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """The status line, the headers and the body, read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status, *lines = head.split(b"\r\n")
    return status, dict(line.decode().lower().split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /batch HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    ],
    ids=["tls", "version", "long", "length"],
)
def test_it_is_a_problem_document(tmp_path: Path, request_bytes: bytes) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE), listening(tmp_path, is_stock=False) as (_, port):
            status, headers, body = await answer_to(port, request_bytes)
            assert status == b"HTTP/1.1 400 Bad Request"
            assert (headers["content-type"], headers["connection"]) == ("application/problem+json", "close")
            assert int(headers["content-length"]) == len(body)
            problem = json.loads(body)
            assert (problem["status"], problem["code"]) == (400, "malformed_request")
            assert problem["request_id"] == headers["x-request-id"]

    asyncio.run(scenario())


def test_a_long_address_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE), listening(tmp_path, is_stock=False) as (_, port):
            address = b"/health?" + b"x" * 60_000
            request = b"GET " + address + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert (await answer_to(port, request))[0] == b"HTTP/1.1 200 OK"

    asyncio.run(scenario())


@pytest.mark.parametrize("is_stock", [False, True], ids=["own", "stock"])
def test_refused_handshakes_and_what_is_malformed_carry_the_security_headers(tmp_path: Path, is_stock: bool) -> None:
    handshake = (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://evil.example\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    async def scenario() -> None:
        async with asyncio.timeout(DEADLINE), listening(tmp_path, is_stock=is_stock) as (_, port):
            answers = [(403, await answer_to(port, handshake))]
            if not is_stock:
                answers.append((400, await answer_to(port, b"GET /health HTTP/9.9\r\n\r\n")))
            for expected, (status, headers, _) in answers:
                assert status.split()[1] == str(expected).encode()
                assert {name: headers.get(name.lower()) for name in HEADERS} == {
                    name: value.lower() for name, value in HEADERS.items()
                }

    asyncio.run(scenario())
