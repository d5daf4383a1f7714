"""Requests to addresses that users name: what is reached, and what never is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from receivers import DEADLINE, LOCAL, Receiver, Reply, receiving

from handlers.outgoing import MAX_ANSWER_BYTES, NotAllowed, OutgoingHttp, OutgoingPolicy, SendError
from tests.storage.bus.encryption import encryption_in

PUBLIC = "93.184.216.34"


def within_deadline(scenario: object) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario  # type: ignore[misc]

    asyncio.run(run())


def resolving(*answers: Sequence[str]) -> tuple[list[str], object]:
    """A resolver that gives these answers one after the other, and the hosts that it was asked for."""
    asked: list[str] = []
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return left.pop(0)

    return asked, resolve


NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(NotAllowed, match="not a public address"):
        OutgoingPolicy().check_url(f"https://{host}/hook")

    async def scenario() -> None:
        asked, resolve = resolving([PUBLIC, address])
        http = OutgoingHttp(resolver=resolve)  # type: ignore[arg-type]
        with pytest.raises(NotAllowed, match=r"hooks\.example is .* not a public address"):
            await http.post("https://hooks.example/x", b"", {})
        assert asked == ["hooks.example"]

    within_deadline(scenario())


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_may_be_reached(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    OutgoingPolicy().check_url(f"https://{host}/hook")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://hooks.example/x", "not encrypted"),
        ("ftp://hooks.example/x", "not a web address"),
        ("https:///x", "not a web address"),
        ("hooks.example", "not a web address"),
        ("https://user:pw@hooks.example/", "user name or password"),
        ("https://hooks.example:port/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://hooks.example/a b", "percent-encode"),
        ("https://hooks.example/\r\nX: y", "percent-encode"),
        ("https://hööks.example/", "percent-encode"),
    ],
)
def test_addresses_that_are_none(url: str, message: str) -> None:
    with pytest.raises(NotAllowed, match=message):
        OutgoingPolicy().check_url(url)


def test_names_for_numbers_do_not_help() -> None:
    """What looks like a name and is resolved to this machine, such as `127.1`, is found out when it is resolved."""

    async def scenario() -> None:
        async with receiving() as receiver:
            for host in ("localhost", "127.1", "2130706433", "0x7f000001"):
                with pytest.raises((NotAllowed, SendError)):
                    await OutgoingHttp().post(f"https://{host}:{receiver.port}/", b"", {})
            assert receiver.received == []

    within_deadline(scenario())


def allowing(*hosts: str, **options: object) -> OutgoingHttp:
    return OutgoingHttp(OutgoingPolicy(hosts), **options)  # type: ignore[arg-type]


def test_what_the_operator_names_may_be_reached() -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            for policy in ("127.0.0.0/8", LOCAL):
                answer = await allowing(policy).post(receiver.url, b'{"a": 1}', {"X-One": "1"})
                assert (answer.status, answer.body, answer.is_success) == (200, b"ok", True)
        request = receiver.received[0]
        assert (request.method, request.path, request.json) == ("POST", "/hook", {"a": 1})
        assert request.headers["x-one"] == "1"
        assert request.headers["host"] == f"{LOCAL}:{receiver.port}"

    within_deadline(scenario())


def test_it_connects_to_the_address_that_was_checked() -> None:
    """A name that leads elsewhere the second time is resolved once."""

    async def scenario() -> None:
        async with receiving() as receiver:
            asked, resolve = resolving([LOCAL], ["10.0.0.1"])
            http = allowing("hooks.example", resolver=resolve)
            answer = await http.post(f"http://hooks.example:{receiver.port}/x", b"", {})
            assert (answer.status, asked) == (200, ["hooks.example"])
            assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"

    within_deadline(scenario())


def test_redirects_are_not_followed() -> None:
    async def scenario(receiver: Receiver) -> None:
        receiver.usual = Reply(302, headers={"location": f"http://{LOCAL}:{receiver.port}/elsewhere"})
        answer = await allowing(LOCAL).post(receiver.url, b"", {})
        assert (answer.status, answer.is_success, len(receiver.received)) == (302, False, 1)

    async def run() -> None:
        async with receiving() as receiver:
            await scenario(receiver)

    within_deadline(run())


def test_only_the_first_bytes_of_an_answer_are_read() -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            receiver.usual = Reply(500, b"x" * 10_000_000, {"retry-after": "120"})
            answer = await allowing(LOCAL).post(receiver.url, b"", {})
            assert (answer.status, answer.body, answer.retry_after) == (500, b"x" * MAX_ANSWER_BYTES, 120.0)
            receiver.usual = Reply(headers={"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"})
            assert (await allowing(LOCAL).post(receiver.url, b"", {})).retry_after is None

    within_deadline(scenario())


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(hangs=True), r"There was no answer within 0\.3 s\."),
        (Reply(cuts=True), r"It could not be sent: .*\."),
    ],
)
def test_no_answer(reply: Reply, message: str) -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            receiver.usual = reply
            with pytest.raises(SendError, match=message):
                await allowing(LOCAL, timeout=0.3).post(receiver.url, b"", {})

    within_deadline(scenario())


def test_nobody_is_there() -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            pass
        with pytest.raises(SendError, match="could not be sent"):
            await allowing(LOCAL).post(receiver.url, b"", {})

        async def unknown(host: str, port: int) -> Sequence[str]:
            return []

        with pytest.raises(SendError, match="has no address"):
            await OutgoingHttp(resolver=unknown).post("https://hooks.example/", b"", {})

    within_deadline(scenario())


def test_encryption_is_of_the_name_though_the_address_was_checked(tmp_path: Path) -> None:
    encryption, certificate = encryption_in(tmp_path)

    def trust() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(certificate))

    async def local(host: str, port: int) -> Sequence[str]:
        return [LOCAL]

    async def scenario() -> None:
        async with receiving(encryption) as receiver:
            trusting = allowing("localhost", "other.example", trust=trust, resolver=local)
            assert (await trusting.post(receiver.url, b"", {})).status == 200
            # Another name than the certificate's, and one that nobody trusts.
            for http, host in ((trusting, "other.example"), (allowing("localhost", resolver=local), "localhost")):
                with pytest.raises(SendError, match="certificate verify failed"):
                    await http.post(f"https://{host}:{receiver.port}/", b"", {})

    within_deadline(scenario())
