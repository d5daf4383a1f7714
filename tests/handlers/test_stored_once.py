"""What people type is in the log once, in order, however often a connection is lost between commit and answer."""

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest
from editor import Editor, open_editor
from faulty_wire import Fate, Way, faulty_wire
from http_node import START, Node, serving
from postgres_server import PostgresServer, running_postgres
from pycrdt import Text

from crdt.replay import replay
from handlers import log_writer
from handlers.access import Role
from storage import documents, update_log
from storage.database import Database

NAMES = ("one", "two", "three")
WORDS = 150
FAILURES = 5


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


async def type_words(node: Node, editors: list[Editor], chance: random.Random) -> None:
    """Each word is an update; some wait together for the next commit.

    On a busy machine more of them do, and less goes over the wire: it goes on until enough was lost there.
    """
    for number in itertools.count():
        if number >= WORDS and node.parts.rooms.writer.failures > FAILURES:
            break
        chance.choice(editors).type(f"<{number}>")
        if chance.random() < 0.5:
            await node.parts.rooms.writer.settled()


@pytest.mark.parametrize("seed", [1, 2])
def test_s1_each_edit_is_stored_once(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    for name in ("FIRST_RETRY_SECONDS", "LONGEST_RETRY_SECONDS"):
        monkeypatch.setattr(log_writer, name, 0.001)
    postgres.refresh()
    chance = random.Random(seed)

    def fate_of(_way: Way, _piece: bytes) -> Fate:
        return chance.choices((Fate.ARRIVES, Fate.LOST, Fate.IS_THE_LAST), (0.97, 0.015, 0.015))[0]

    async def scenario() -> None:
        async with faulty_wire(postgres.port) as wire, asyncio.timeout(60):
            async with serving(postgres.url_by(wire.port)) as node:
                await node.make_workspace("lab", ada=Role.EDITOR)
                async with node.parts.database.write() as connection:
                    for name in NAMES:
                        await documents.create(connection, "lab", name, created_by="ada", at=START)
                editors = [await open_editor(node.parts, "ada", name) for name in NAMES]
                wire.fate_of = fate_of
                await type_words(node, editors, chance)
                await node.parts.rooms.writer.settled()
                wire.fate_of = lambda _way, _piece: Fate.ARRIVES
                assert node.parts.rooms.writer.failures > FAILURES
            for editor in editors:
                await see_stored_once(postgres.url, editor)

    asyncio.run(scenario())


async def see_stored_once(url: str, editor: Editor) -> None:
    database = await Database.open(url)
    rows = [row.data for row in (await update_log.load(database, editor.room.row_id)).updates]
    await database.close()
    assert len(set(rows)) == len(rows)
    assert str(replay(None, rows).get("content", type=Text)) == editor.text()
    assert len(rows) == editor.acknowledged == editor.room.number
