"""The socket's life against a server that does exactly what a test says."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from collab_studio import ConnectionEnded, ConnectionLost, NotAllowed, NotAuthenticated, Studio, connect
from collab_studio.connection import socket_url

from tests.clients.scripted_server import DEADLINE, Peer, ScriptedServer

Scenario = Callable[[ScriptedServer], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * DEADLINE), ScriptedServer() as server:
            await scenario(server)

    asyncio.run(main())


async def assert_alive(studio: Studio, peer: Peer) -> None:
    answer, _ = await asyncio.gather(studio.call("ping"), peer.answer("pong"))
    assert answer == "pong"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8400", "ws://127.0.0.1:8400/ws"),
        ("https://studio.example/", "wss://studio.example/ws"),
        ("https://example.org/studio", "wss://example.org/studio/ws"),
        ("ws://host:1", "ws://host:1/ws"),
    ],
)
def test_the_sockets_address(url: str, expected: str) -> None:
    assert socket_url(url) == expected


@pytest.mark.parametrize("url", ["127.0.0.1:8400", "ftp://host", "http://"])
def test_what_is_no_servers_address(url: str) -> None:
    with pytest.raises(ValueError, match="not the address of a server"):
        socket_url(url)


def test_the_token_goes_with_the_handshake_and_the_server_says_who_that_is() -> None:
    async def scenario(server: ScriptedServer) -> None:
        async def serve() -> str | None:
            peer = await server.accept()
            await peer.welcome("ann")
            return peer.authorization

        serving = asyncio.create_task(serve())
        async with connect(server.url, token="secret") as studio:
            assert studio.user == "ann"
            assert studio.connected
        assert await serving == "Bearer secret"

    play(scenario)


def test_nobody_there_is_said_at_once() -> None:
    async def scenario(_: ScriptedServer) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(ConnectionLost):
                await connect(url).__aenter__()

    play(scenario)


@pytest.mark.parametrize(("status", "error"), [(401, NotAuthenticated), (403, NotAllowed), (503, ConnectionLost)])
def test_a_refused_handshake_is_said(status: int, error: type[Exception]) -> None:
    async def scenario(server: ScriptedServer) -> None:
        server.status = status
        with pytest.raises(error):
            await connect(server.url).__aenter__()

    play(scenario)


@pytest.mark.parametrize(("code", "error"), [(4401, NotAuthenticated), (4403, NotAllowed), (1013, ConnectionLost)])
def test_a_socket_closed_before_the_welcome_is_said(code: int, error: type[Exception]) -> None:
    async def scenario(server: ScriptedServer) -> None:
        async def serve() -> None:
            peer = await server.accept()
            await peer.close(code, "because")

        serving = asyncio.create_task(serve())
        with pytest.raises(error, match="because"):
            await connect(server.url, token="t").__aenter__()
        await serving

    play(scenario)


def test_a_server_without_a_welcome_is_given_up() -> None:
    async def scenario(server: ScriptedServer) -> None:
        with pytest.raises(ConnectionLost, match="welcome"):
            await connect(server.url, token="t", open_timeout=0.2).__aenter__()

    play(scenario)


@pytest.mark.parametrize("code", [1000, 1001, 1012, 1013, 4205, None])
def test_a_broken_connection_is_made_again(code: int | None) -> None:
    async def scenario(server: ScriptedServer) -> None:
        async with connect(server.url) as studio:
            first = await server.accept()
            if code is None:
                first.abort()
            else:
                await first.close(code)
            second = await server.accept()
            await assert_alive(studio, second)

    play(scenario)


@pytest.mark.parametrize(("code", "error"), [(4401, NotAuthenticated), (4403, NotAllowed), (1009, ConnectionEnded)])
def test_a_final_close_ends_everything_that_waits(code: int, error: type[Exception]) -> None:
    async def scenario(server: ScriptedServer) -> None:
        async with connect(server.url) as studio:
            peer = await server.accept()
            opening = asyncio.create_task(studio.open("default/notes"))
            await peer.hear()
            await peer.close(code, "over")
            with pytest.raises(error, match="over"):
                await opening
            with pytest.raises(error, match="over"):
                await studio.call("ping")
            with pytest.raises(error, match="over"):
                await studio.open("default/notes")

    play(scenario)


def test_a_token_that_can_be_had_anew_is_had_anew_once() -> None:
    async def scenario(server: ScriptedServer) -> None:
        tokens = iter(["first", "second", "third"])

        async def token() -> str:
            return next(tokens)

        async def serve() -> list[str | None]:
            seen = []
            for code in (4401, 4401):
                peer = await server.accept()
                seen.append(peer.authorization)
                if len(seen) == 1:
                    await peer.welcome()
                await peer.close(code, "expired")
            return seen

        serving = asyncio.create_task(serve())
        async with connect(server.url, token=token) as studio:
            assert await serving == ["Bearer first", "Bearer second"]
            with pytest.raises(NotAuthenticated):
                await studio.call("ping")

    play(scenario)


def test_a_server_that_goes_away_is_left_and_found_again() -> None:
    async def scenario(server: ScriptedServer) -> None:
        async with connect(server.url) as studio:
            peer = await server.accept()
            await peer.say_own(69, {"reason": "restart", "after_ms": 10})
            await peer.close(1012)
            await assert_alive(studio, await server.accept())

    play(scenario)


def test_a_malformed_frame_costs_the_socket_and_not_the_connection() -> None:
    async def scenario(server: ScriptedServer) -> None:
        async with connect(server.url) as studio:
            peer = await server.accept()
            await peer.socket.send(b"\xff")
            await assert_alive(studio, await server.accept())

    play(scenario)


def test_leaving_closes_the_socket_properly() -> None:
    async def scenario(server: ScriptedServer) -> None:
        async with connect(server.url):
            peer = await server.accept()
        await peer.socket.wait_closed()
        assert peer.socket.close_code == 1000

    play(scenario)


def test_leaving_does_not_wait_for_a_server_that_is_away() -> None:
    async def scenario(server: ScriptedServer) -> None:
        async with connect(server.url) as studio:
            server.status = 503
            peer = await server.accept()
            await peer.close(1012)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await studio.call("ping")
        with pytest.raises(ConnectionEnded, match="closed"):
            await studio.call("ping")

    play(scenario)
