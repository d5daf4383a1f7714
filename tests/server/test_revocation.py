"""What is changed through one node reaches the sockets of another within two seconds, with and without a bus."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hand_transport import HandTransport
from lossy_bus import LossyBus
from node_in_process import Node, running_node

from crdt import sync
from crdt.lib0 import write_var_string
from crdt.room import Room
from handlers.access import Access, Change
from handlers.credentials import fingerprint, new_api_key, shown_part
from handlers.dispatch import execute
from handlers.registry import Context, Principal
from server.app import running
from server.bootstrap import prepare_first_use, signing_secret
from server.hocuspocus import HocuspocusDialect
from server.http import utc_now
from server.settings import Settings
from server.signing_in import open_session
from server.tokens import ServerIssuer
from server.y_websocket import YWebSocketDialect
from storage import api_keys
from storage.bus.memory_bus import Hub
from storage.database import Database
from storage.documents import Document
from storage.errors import Unavailable

NAME = "default/notes"
ADDRESS = write_var_string(NAME)
# As promised, whatever the bus does.
REACHED_SECONDS = 2.0
# How long the token holds that ends on the way.
SHORT = timedelta(seconds=4)
# A text of one letter by client 9, and the same by client 10.
EDITS = [b"\x01\x01" + bytes((client,)) + b"\x00\x04\x01\x07content\x01x\x00" for client in (9, 10)]
ADMIN = Principal("admin", is_admin=True, via="token")


@contextlib.asynccontextmanager
async def two_nodes(folder: Path, url: str, *, is_cut_off: bool) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes over one database, with a bus between them that works, or does not."""
    hub, nodes = Hub(), []
    async with contextlib.AsyncExitStack() as stack:
        for name in ("one", "other"):
            bus = LossyBus(name, hub, random.Random(1))
            if is_cut_off:
                bus.cut_off()
            database = await Database.open(url)
            stack.push_async_callback(database.close)
            await prepare_first_use(database, utc_now())
            secret = await signing_secret(database, None)
            settings = Settings(data=folder, database_url=url)
            studio = await stack.enter_async_context(running(settings, database, secret, bus=bus))
            nodes.append(Node(studio, database, secret))
        yield nodes[0], nodes[1]


class Editor:
    """One user in the document, in either dialect."""

    def __init__(self, node: Node, user: str, is_hocuspocus: bool) -> None:
        self.node, self.user, self.is_hocuspocus = node, user, is_hocuspocus
        self.line = HandTransport()
        self.dialect: Any = None

    async def join(self, credential: str) -> None:
        gateway = self.node.studio.gateway
        if self.is_hocuspocus:
            self.dialect = HocuspocusDialect(gateway, self.line)
            self.dialect.receive(ADDRESS + b"\x02\x00" + write_var_string(credential))
        else:
            plain = self.dialect = YWebSocketDialect(gateway, self.line)
            gateway.admit(self.line, credential, None, NAME, plain.admitted, plain.denied)
        await gateway.idle()
        assert self.may_write, self.line.sent
        self.line.sent.clear()

    @property
    def places(self) -> list[Any]:
        room = self.node.rooms.live_named("default", "notes")
        everybody = room.everybody() if room is not None else ()
        return [member for member in everybody if getattr(member, "connection", None) is self.line]

    @property
    def may_write(self) -> bool:
        return any(place.can_write for place in self.places)

    @property
    def was_told(self) -> bool:
        """That the document was left, or is only to be read, in words of the dialect."""
        said = b"".join(self.line.sent)
        if not self.places:
            return ADDRESS + b"\x07" in said if self.is_hocuspocus else self.line.codes in ([4400], [4401])
        return b"\x02\x02" + write_var_string("readonly") in said

    def edit(self, update: bytes) -> None:
        prefix = ADDRESS if self.is_hocuspocus else b""
        self.dialect.receive(prefix + sync.update_message(update))


async def do(node: Node, operation: str, **parameters: Any) -> None:
    """Through that node, by its administrator."""
    context = Context(ADMIN, node.studio.parts, "request-1", lambda: datetime.now(UTC))
    await execute(node.studio.gateway.operations[operation], context, parameters)


async def api_key_of(node: Node, user: str) -> tuple[int, str]:
    secret = new_api_key()
    async with node.database.write() as connection:
        key = await api_keys.create(
            connection,
            name="job",
            user_id=user,
            fingerprint=fingerprint(secret),
            prefix=shown_part(secret),
            at=utc_now(),
        )
    return key.id, secret


async def until_told(editors: list[Editor], since: float = 0.0) -> None:
    """Within the time that is promised from now, or from a moment to come."""
    deadline = max(time.monotonic(), since) + REACHED_SECONDS
    while slow := [editor.user for editor in editors if editor.may_write or not editor.was_told]:
        assert time.monotonic() < deadline, f"not reached in time: {slow}"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_cut_off", [False, True], ids=["bus", "no bus"])
def test_a5_every_change_reaches_the_other_node(
    tmp_path: Path, postgres_url: str, is_cut_off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_cut_off:
        # Nobody looks by themselves: what is heard of is heard on the bus.
        monkeypatch.setattr(Access.run, "__defaults__", (3600.0,))
    users = ("removed", "downgraded", "deactivated", "keyed", "expiring")

    async def scenario() -> None:
        async with two_nodes(tmp_path, postgres_url, is_cut_off=is_cut_off) as (one, other):
            for user in (*users, "stays"):
                await other.enlist(user)
            key, secret = await api_key_of(other, "keyed")
            editors = [
                Editor(other, user, is_hocuspocus) for user in (*users, "stays") for is_hocuspocus in (False, True)
            ]
            changed, expiring, staying = editors[:-4], editors[-4:-2], editors[-2:]
            for editor in (*changed, *staying):
                await editor.join(secret if editor.user == "keyed" else other.token(editor.user))
            # Last, so that it holds for as long as two take to join, however busy the machine is.
            short = ServerIssuer(other.secret, utc_now).issue("expiring", SHORT)
            expires_at = time.monotonic() + SHORT.total_seconds()
            for editor in expiring:
                await editor.join(short)
            await do(one, "collaboration.members.remove", workspace_id="default", user_id="removed")
            await do(one, "collaboration.members.put", workspace_id="default", user_id="downgraded", role="viewer")
            await do(one, "users.deactivate", user_id="deactivated")
            await do(one, "api_keys.revoke", key_id=key)
            await until_told(changed)
            await until_told(expiring, expires_at)
            for editor in (*changed, *expiring):
                if editor.dialect is not None and not editor.line.closing:
                    editor.edit(EDITS[0])
            assert all(editor.may_write and not editor.line.closing for editor in staying)
            staying[-1].edit(EDITS[1])
            await other.studio.gateway.idle()
            await other.settled()
            assert (await other.document("notes")).head == 1

    asyncio.run(scenario())


def test_nobody_is_in_doubt_because_a_node_has_just_started(tmp_path: Path) -> None:
    """Whoever is quick to show a key would have to show it again."""

    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            changes: list[Change] = []
            node.studio.parts.access.on_change(changes.append)
            await node.studio.parts.access.refresh()
            assert changes == []

    asyncio.run(scenario())


def test_who_cannot_be_looked_up_does_not_go_on_as_before(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is known, and the database went away before it was known what is left."""

    async def scenario() -> None:
        async with two_nodes(tmp_path, postgres_url, is_cut_off=False) as (one, other):
            await other.enlist("ada")
            editors = [Editor(other, "ada", is_hocuspocus) for is_hocuspocus in (False, True)]
            for editor in editors:
                await editor.join(other.token("ada"))

            async def away(_: object) -> None:
                raise Unavailable("the database does not answer")

            for cache in (other.studio.parts.access._roles, other.studio.parts.access._active):
                monkeypatch.setattr(cache, "_read", away)
            await do(one, "collaboration.members.remove", workspace_id="default", user_id="ada")
            await until_told(editors)

    asyncio.run(scenario())


def test_a_session_is_let_in_while_others_are_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody else's change makes a node forget is read again, be it while a document is being opened."""

    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            await node.enlist("ada")
            now = utc_now()
            async with node.database.write() as connection:
                issuer, hour = ServerIssuer(node.secret, utc_now), timedelta(hours=1)
                token = await open_session(connection, issuer, "ada", hour, now, opened_by="test")
            opened = node.rooms.open

            async def open_slowly(document: Document) -> Room:
                room = await opened(document)
                node.studio.parts.access.invalidate(None, "somebody-else")
                return room

            monkeypatch.setattr(node.rooms, "open", open_slowly)
            async with asyncio.timeout(5):
                await Editor(node, "ada", True).join(token)

    asyncio.run(scenario())
