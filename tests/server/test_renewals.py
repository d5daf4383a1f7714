"""Tokens on open connections: asked for before they end, renewed in place, and refused without harm to others."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hand_transport import HandTransport
from node_in_process import Node, running_node

from crdt.lib0 import write_var_string, write_varuint
from server.hocuspocus import HocuspocusDialect
from server.http import utc_now
from server.studio_frames import ERROR, HELLO, REQUEST, RESULT, STUDIO_PREFIX, WELCOME
from server.tokens import ServerIssuer
from server.y_websocket import SCOPE, TOKEN, YWebSocketDialect

NAME = "default/notes"
ADDRESS = write_var_string(NAME)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
DIALECTS = pytest.mark.parametrize("is_hocuspocus", [False, True], ids=["y-websocket", "hocuspocus"])


class Client:
    """One document on one connection, in either dialect."""

    def __init__(self, node: Node, is_hocuspocus: bool) -> None:
        self.node, self.is_hocuspocus = node, is_hocuspocus
        self.line = HandTransport()
        self.dialect: Any = None

    async def join(self, token: str) -> None:
        gateway = self.node.studio.gateway
        if self.is_hocuspocus:
            self.dialect = self.dialect or HocuspocusDialect(gateway, self.line)
            self.show(token)
        else:
            plain = self.dialect = YWebSocketDialect(gateway, self.line)
            gateway.admit(self.line, token, None, NAME, plain.admitted, plain.denied)
        await gateway.idle()

    def show(self, token: str) -> None:
        """Send a token, the first or a new one."""
        self.dialect.receive((ADDRESS + b"\x02\x00" if self.is_hocuspocus else TOKEN) + write_var_string(token))

    async def renew(self, token: str) -> None:
        self.show(token)
        await self.node.studio.gateway.idle()

    def heard(self) -> bytes:
        """Everything that was said since this was last asked."""
        said, self.line.sent = b"".join(self.line.sent), []
        return said

    def was_asked(self) -> bool:
        return (ADDRESS + b"\x02\x00" if self.is_hocuspocus else b"\x82\x02" + TOKEN) in self.heard()

    @property
    def is_open(self) -> bool:
        room = self.node.rooms.live_named("default", "notes")
        return room is not None and any(member.user == "ada" for member in room.everybody())

    @property
    def was_parted(self) -> bool:
        """With the message or the code that asks for another token."""
        told = ADDRESS + b"\x07" in self.heard() if self.is_hocuspocus else self.line.codes == [4401]
        return told and not self.is_open


def token(node: Node, lifetime: timedelta, user: str = "ada") -> str:
    return ServerIssuer(node.secret, utc_now).issue(user, lifetime)


def look(node: Node, at: datetime) -> None:
    """As the gateway does it each second."""
    node.studio.gateway._renewals.look(at)


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_node(folder) as node:
            await node.enlist("ada")
            await node.enlist("bob")
            await scenario(node)

    asyncio.run(run())


async def joined(node: Node, is_hocuspocus: bool, lifetime: timedelta = HOUR) -> Client:
    client = Client(node, is_hocuspocus)
    await client.join(token(node, lifetime))
    assert client.is_open
    client.heard()
    return client


@DIALECTS
def test_a7_a_token_is_asked_for_once_before_it_ends(tmp_path: Path, is_hocuspocus: bool) -> None:
    async def scenario(node: Node) -> None:
        client = await joined(node, is_hocuspocus)
        ends = utc_now() + HOUR
        look(node, ends - 40 * SECOND)
        assert not client.was_asked()
        look(node, ends - 25 * SECOND)
        assert client.was_asked()
        look(node, ends - 20 * SECOND)
        assert not client.was_asked()
        look(node, ends + SECOND)
        assert client.was_parted

    play(tmp_path, scenario)


@DIALECTS
def test_a7_a_short_token_is_asked_for_half_way(tmp_path: Path, is_hocuspocus: bool) -> None:
    async def scenario(node: Node) -> None:
        began = utc_now()
        client = await joined(node, is_hocuspocus, 20 * SECOND)
        look(node, began + 9 * SECOND)
        assert not client.was_asked()
        look(node, began + 18 * SECOND)
        assert client.was_asked()

    play(tmp_path, scenario)


@DIALECTS
def test_a6_a_new_token_keeps_the_document_open(tmp_path: Path, is_hocuspocus: bool) -> None:
    async def scenario(node: Node) -> None:
        client = await joined(node, is_hocuspocus)
        await client.renew(token(node, 3 * HOUR))
        scope = ADDRESS + b"\x02\x02" if is_hocuspocus else SCOPE
        assert scope + write_var_string("read-write") in client.heard()
        look(node, utc_now() + 2 * HOUR)
        assert client.is_open
        assert not client.was_asked()
        look(node, utc_now() + 3 * HOUR - 20 * SECOND)
        assert client.was_asked()
        look(node, utc_now() + 3 * HOUR + SECOND)
        assert client.was_parted

    play(tmp_path, scenario)


@DIALECTS
def test_who_has_only_the_old_token_is_not_asked_again_and_again(tmp_path: Path, is_hocuspocus: bool) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node, is_hocuspocus)
        began, only = utc_now(), token(node, 20 * SECOND)
        await client.join(only)
        client.heard()
        look(node, began + 18 * SECOND)
        assert client.was_asked()
        await client.renew(only)
        client.heard()
        look(node, began + 19 * SECOND)
        assert not client.was_asked()
        look(node, began + 22 * SECOND)
        assert client.was_parted

    play(tmp_path, scenario)


@DIALECTS
@pytest.mark.parametrize("what", ["nonsense", "another user's", "an expired one", "a stranger's", "too long"])
def test_a6_a_refused_token_parts_its_sender(tmp_path: Path, is_hocuspocus: bool, what: str) -> None:
    async def scenario(node: Node) -> None:
        client = await joined(node, is_hocuspocus)
        issuer = ServerIssuer(node.secret, lambda: utc_now() - 2 * HOUR)
        tokens = {
            "nonsense": "nonsense",
            "another user's": token(node, HOUR, "bob"),
            "an expired one": issuer.issue("ada", HOUR),
            "a stranger's": token(node, HOUR, "mallory"),
            "too long": "x" * 100_000,
        }
        await client.renew(tokens[what])
        assert client.was_parted
        assert client.line.closing is not is_hocuspocus

    play(tmp_path, scenario)


@DIALECTS
def test_somebody_who_was_shut_out_cannot_renew(tmp_path: Path, is_hocuspocus: bool) -> None:
    async def scenario(node: Node) -> None:
        client = await joined(node, is_hocuspocus)
        fresh = token(node, HOUR)
        async with node.database.write() as connection:
            await connection.exec_driver_sql("UPDATE users SET is_active = 0 WHERE id = 'ada'")
        await client.renew(fresh)
        assert client.was_parted

    play(tmp_path, scenario)


def test_stock_clients_do_not_send_what_is_refused_and_are_not_harmed_by_it(tmp_path: Path) -> None:
    """y-websocket's own message of that type goes the other way."""

    async def scenario(node: Node) -> None:
        client = await joined(node, False)
        client.dialect.receive(b"\x02\x00" + write_var_string("no"))
        client.dialect.receive(b"\x02\x07")
        await node.studio.gateway.idle()
        assert client.is_open
        client.dialect.receive(TOKEN + b"\x7fshort")
        assert client.line.codes == [4400]

    play(tmp_path, scenario)


class Channel:
    """The Studio's own frames on a connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def say(self, kind: int, **body: Any) -> dict[str, Any]:
        """What is answered."""
        self._client.heard()
        self._client.dialect.receive(STUDIO_PREFIX + write_varuint(kind) + msgspec.msgpack.encode(body))
        await self._client.node.studio.gateway.idle()
        _, _, answer = self._client.heard().rpartition(STUDIO_PREFIX)
        return {"kind": answer[0], **msgspec.msgpack.decode(answer[1:])}

    async def hello(self, credential: str) -> dict[str, Any]:
        return await self.say(HELLO, token=credential)


async def greeted(node: Node, lifetime: timedelta = HOUR) -> tuple[Client, Channel]:
    client = Client(node, True)
    client.dialect = HocuspocusDialect(node.studio.gateway, client.line)
    channel = Channel(client)
    assert (await channel.hello(token(node, lifetime)))["kind"] == WELCOME
    return client, channel


def test_f3_hello_again_renews_the_connection_and_what_was_opened_by_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client, channel = await greeted(node)
        # An empty token stands for the connection's.
        await client.join("")
        assert client.is_open
        assert (await channel.hello(token(node, 3 * HOUR)))["kind"] == WELCOME
        look(node, utc_now() + 2 * HOUR)
        assert client.is_open
        look(node, utc_now() + 3 * HOUR + SECOND)
        assert client.was_parted

    play(tmp_path, scenario)


def test_an_empty_token_renews_by_the_connections(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client, _ = await greeted(node, 3 * HOUR)
        await client.join(token(node, HOUR))
        await client.renew("")
        look(node, utc_now() + 2 * HOUR)
        assert client.is_open

    play(tmp_path, scenario)


def test_h5_a_documents_new_token_stands_for_the_connection_as_well(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client, channel = await greeted(node)
        await client.join(token(node, HOUR))
        await client.renew(token(node, 3 * HOUR))
        assert client.dialect.principal.expires_at > utc_now() + 2 * HOUR
        # One that holds for less leaves it as it is.
        await client.renew(token(node, HOUR))
        assert client.dialect.principal.expires_at > utc_now() + 2 * HOUR
        assert (await channel.say(REQUEST, id=1, operation="users.me", parameters={}))["kind"] == RESULT

    play(tmp_path, scenario)


def test_f3_hello_of_another_user_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        _, channel = await greeted(node)
        answer = await channel.hello(token(node, HOUR, "bob"))
        assert (answer["kind"], answer["code"]) == (ERROR, "another_user")
        answer = await channel.say(REQUEST, id=1, operation="users.me", parameters={})
        assert (answer["kind"], answer["value"]["id"]) == (RESULT, "ada")

    play(tmp_path, scenario)


def test_a5_a_connection_whose_token_ended_may_nothing_until_it_says_hello_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client, channel = await greeted(node)
        client.dialect._principal = dataclasses.replace(client.dialect._principal, expires_at=utc_now())
        answer = await channel.say(REQUEST, id=1, operation="users.me", parameters={})
        assert (answer["kind"], answer["code"]) == (ERROR, "token_expired")
        await client.join("")
        assert not client.is_open
        assert (await channel.hello(token(node, HOUR)))["kind"] == WELCOME
        assert (await channel.say(REQUEST, id=2, operation="users.me", parameters={}))["kind"] == RESULT

    play(tmp_path, scenario)
