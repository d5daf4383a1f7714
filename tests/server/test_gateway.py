"""What a connection may cost before and after it said who it is, and what a change of standing does to it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hand_transport import HandTransport
from node_in_process import Node, running_node

from crdt import sync
from crdt.lib0 import write_var_bytes, write_var_string
from handlers.collaboration.naming import ensure_document
from handlers.parts import Parts
from handlers.registry import NotFound, Permission, Principal
from server import admission
from server.admission import OPENED_AT_ONCE
from server.hocuspocus import HocuspocusDialect
from storage import documents
from storage.documents import Document

NAME = "default/notes"
STEP_1 = sync.step_1(sync.EMPTY_STATE_VECTOR)
# A text of one letter by client 9.
LETTER = b"\x01\x01\x09\x00\x04\x01\x07content\x01x\x00"


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with running_node(folder, **settings) as node:
            await node.enlist("ada")
            await scenario(node)

    asyncio.run(run())


async def joined(node: Node, line: HandTransport) -> Any:
    dialect = node.connect(line, False, NAME, "ada")
    await node.studio.gateway.idle()
    assert not line.closing
    return dialect


def test_who_does_not_read_is_answered_once_when_it_does(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        line = HandTransport()
        dialect = await joined(node, line)
        dialect.receive(sync.update_message(LETTER))
        line.sent.clear()
        line.is_congested = True
        dialect.pause()
        for _ in range(600):
            dialect.receive(STEP_1)
        assert line.sent == []
        line.is_congested = False
        dialect.resume()
        answers = [data for data in line.sent if b"\x00\x01" + write_var_bytes(LETTER) in data]
        assert len(answers) == 1

    play(tmp_path, scenario)


def test_h1_what_is_held_for_a_stranger_is_bounded_over_all_documents(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        line = HandTransport()
        dialect = HocuspocusDialect(node.studio.gateway, line)
        for number in range(3):
            dialect.receive(write_var_string(f"default/{number}") + b"\x00" + bytes(2 * 1024 * 1024))
        assert line.codes == [1009]

    play(tmp_path, scenario)


def test_a5_nothing_is_taken_from_the_moment_a_role_was_taken(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        line = HandTransport()
        dialect = await joined(node, line)
        await node.enlist("ada", "viewer")
        dialect.receive(sync.update_message(LETTER))
        await node.studio.gateway.idle()
        await node.settled()
        assert (await node.document("notes")).head == 0
        assert any(b"you may read this document" in data for data in line.sent)

    play(tmp_path, scenario)


def test_who_leaves_before_its_turn_has_no_document_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(node: Node) -> None:
        gateway, lines = node.studio.gateway, [HandTransport() for _ in range(3 * OPENED_AT_ONCE)]
        begun: list[str] = []
        go_on = asyncio.Event()

        async def slow(parts: Parts, principal: Principal, workspace_id: str, name: str) -> Document:
            begun.append(name)
            await go_on.wait()
            return await ensure_document(parts, principal, workspace_id, name)

        monkeypatch.setattr(admission, "ensure_document", slow)
        token = node.token("ada")
        principal = await gateway.authenticate(token)
        await gateway.parts.access.require(principal, Permission.READ, "default")
        places: list[admission.Admitted] = []
        refused: list[admission.Denied] = []
        for number, line in enumerate(lines):
            gateway.admit(line, token, None, f"default/d{number}", places.append, refused.append)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(begun) == OPENED_AT_ONCE, "whoever types waits behind few newcomers"
        for line in lines[OPENED_AT_ONCE:-1]:
            line.closing = True
        go_on.set()
        await gateway.idle()
        assert begun == [f"d{number}" for number in (*range(OPENED_AT_ONCE), len(lines) - 1)]
        assert (len(places), refused) == (len(begun), [])

    play(tmp_path, scenario)


def test_nobody_gets_into_a_document_on_its_way_to_the_trash(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        found_before = await node.document("notes")
        async with node.database.write() as connection:
            await documents.trash(connection, found_before.id, by="ada", at=datetime.now(UTC))
        opening = asyncio.create_task(node.rooms.open(found_before))
        await node.rooms.discard(found_before)
        with pytest.raises(NotFound, match="trash"):
            await opening
        assert node.rooms.live(found_before.id) is None

    play(tmp_path, scenario)


def test_a_large_update_ends_with_its_member(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        line = HandTransport()
        dialect = await joined(node, line)
        many = b"".join(b"\x04\x01\x07content\x01x" for _ in range(4_000))
        dialect.receive(sync.update_message(b"\x01\xa0\x1f\x09\x00" + many + b"\x00"))
        dialect.closed()
        await node.studio.gateway.idle()
        await node.settled()
        assert (await node.document("notes")).head == 0

    play(tmp_path, scenario)


def test_a_client_that_comes_back_with_the_same_again_waits_longer_each_time(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        pauses = [node.studio.gateway.pause_before_close("ada", 1) for _ in range(8)]
        assert pauses[0] == 0.0
        assert pauses == sorted(pauses)
        assert pauses[-1] == 20.0

    play(tmp_path, scenario)
