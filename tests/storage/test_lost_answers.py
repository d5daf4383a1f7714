"""A connection that is lost in the middle of an append: whatever was done or not, each update is in the log once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

import pytest
from faulty_wire import Fate, FaultyWire, Way, faulty_wire
from postgres_server import PostgresServer, running_postgres

from storage import documents, update_log
from storage.database import Database
from storage.documents import Document
from storage.errors import MissingDocument, Unavailable
from storage.postgres_update_log import PostgresUpdateLog
from storage.update_log import Append
from tests.storage.opened import DEADLINE, append_of, make_documents

LOADS, DOCUMENTS, BATCHES = 3, 6, 400
# Also whoever has just appended and waits for the next.
END_AN_APPENDER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE query LIKE '%INSERT INTO append_batches%' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""


@pytest.fixture(scope="module")
def its_server() -> Iterator[PostgresServer]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def server(its_server: PostgresServer) -> PostgresServer:
    its_server.refresh()
    return its_server


Body = Callable[[Database, PostgresUpdateLog, FaultyWire], Awaitable[None]]


def play(server: PostgresServer, body: Body) -> None:
    """Runs the body with a database that is reached directly, and a log that is behind a wire."""

    async def run() -> None:
        direct = await Database.open(server.url)
        await direct.migrate()
        async with faulty_wire(server.port) as wire, asyncio.timeout(DEADLINE):
            behind = await Database.open(server.url_by(wire.port))
            await body(direct, PostgresUpdateLog(behind), wire)
            wire.fate_of = lambda _way, _piece: Fate.ARRIVES
            await behind.close()
        await direct.close()

    asyncio.run(run())


def once(way: Way, fate: Fate) -> Callable[[Way, bytes], Fate]:
    """That fate for the next piece on that way."""
    left = [fate]
    return lambda its_way, _piece: left.pop() if left and its_way is way else Fate.ARRIVES


async def in_log(database: Database, document: Document) -> list[tuple[int, bytes]]:
    stored = await update_log.load(database, document.id)
    return [(row.number, row.data) for row in stored.updates]


async def until_appended(log: PostgresUpdateLog, *appends: Append) -> dict[int, int]:
    """As the log writer does it."""
    while True:
        try:
            return await log.append(appends)
        except Unavailable:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("way", "fate", "was_done"),
    [
        (Way.TO_SERVER, Fate.LOST, False),
        (Way.TO_SERVER, Fate.IS_THE_LAST, True),
        (Way.TO_CLIENT, Fate.LOST, True),
    ],
)
def test_given_again_it_is_appended_once(server: PostgresServer, way: Way, fate: Fate, was_done: bool) -> None:
    async def body(database: Database, log: PostgresUpdateLog, wire: FaultyWire) -> None:
        one, other = await make_documents(database, "one", "other")
        await log.append([append_of(one, b"a")])
        wire.fate_of = once(way, fate)
        lost = [append_of(one, b"b", b"c"), append_of(other, b"x")]
        with pytest.raises(Unavailable):
            await log.append(lost)
        while was_done and not await in_log(database, other):
            continue
        # Somebody else writes before it is given again.
        await PostgresUpdateLog(database).append([append_of(one, b"elsewhere")])
        head = 3 if was_done else 4
        assert await log.append(lost) == {one.id: head, other.id: 1}
        assert await log.append([append_of(other, b"x")]) == {other.id: 2}
        data = [b"a", b"b", b"c", b"elsewhere"] if was_done else [b"a", b"elsewhere", b"b", b"c"]
        assert await in_log(database, one) == list(enumerate(data, 1))
        assert await in_log(database, other) == [(1, b"x"), (2, b"x")]

    play(server, body)


def test_what_arrives_late_does_nothing(server: PostgresServer) -> None:
    async def body(database: Database, log: PostgresUpdateLog, wire: FaultyWire) -> None:
        (document,) = await make_documents(database, "one")
        await log.append([append_of(document, b"a")])
        wire.fate_of = once(Way.TO_SERVER, Fate.DELAYED)
        with pytest.raises(Unavailable):
            await log.append([append_of(document, b"b")])
        assert await log.append([append_of(document, b"b")]) == {document.id: 2}
        assert await log.append([append_of(document, b"c")]) == {document.id: 3}
        answered = asyncio.Event()

        def watch(way: Way, _piece: bytes) -> Fate:
            if way is Way.TO_CLIENT:
                answered.set()
            return Fate.ARRIVES

        wire.fate_of = watch
        wire.deliver()
        await answered.wait()
        assert await in_log(database, document) == [(1, b"a"), (2, b"b"), (3, b"c")]

    play(server, body)


def test_a_document_that_went_in_between_is_missed_or_was_appended_to(server: PostgresServer) -> None:
    async def body(database: Database, log: PostgresUpdateLog, wire: FaultyWire) -> None:
        for was_done in (False, True):
            gone, stays = await make_documents(database, f"gone {was_done}", f"stays {was_done}")
            lost = [append_of(gone, b"a"), append_of(stays, b"b")]
            await log.append([append_of(stays, b"before")])
            wire.fate_of = once(Way.TO_CLIENT if was_done else Way.TO_SERVER, Fate.LOST)
            with pytest.raises(Unavailable):
                await log.append(lost)
            async with database.write() as connection:
                await documents.purge(connection, gone.id)
            if was_done:
                assert await log.append(lost) == {gone.id: 1, stays.id: 2}
            else:
                with pytest.raises(MissingDocument):
                    await log.append(lost)
                assert await log.append(lost[1:]) == {stays.id: 2}
            assert await in_log(database, stays) == [(1, b"before"), (2, b"b")]

    play(server, body)


@pytest.mark.parametrize("seed", [1, 2])
def test_cut_at_random_everything_is_there_once(server: PostgresServer, seed: int) -> None:
    """Three writers append to the same documents through connections that are cut, and ended by the server."""

    async def body(database: Database, _log: PostgresUpdateLog, wire: FaultyWire) -> None:
        made = await make_documents(database, *map(str, range(DOCUMENTS)))
        chance = random.Random(seed)
        told: dict[int, dict[int, bytes]] = {document.id: {} for document in made}

        def fate_of(_way: Way, _piece: bytes) -> Fate:
            return chance.choices((Fate.ARRIVES, Fate.LOST, Fate.IS_THE_LAST), (0.98, 0.01, 0.01))[0]

        async def load(name: int, log: PostgresUpdateLog) -> None:
            for batch in range(BATCHES):
                chosen = chance.sample(made, chance.randint(1, DOCUMENTS))
                data = [b"%d %d" % (name, batch), b"more"][: chance.randint(1, 2)]
                heads = await until_appended(log, *[append_of(document, *data) for document in chosen])
                for document in chosen:
                    told[document.id].update(enumerate(data, heads[document.id] - len(data) + 1))

        async def end_appenders() -> None:
            while True:
                async with database.write() as connection:
                    await connection.exec_driver_sql(END_AN_APPENDER)
                await asyncio.sleep(chance.uniform(0, 0.1))

        nodes = [await Database.open(server.url_by(wire.port)) for _ in range(LOADS)]
        wire.fate_of = fate_of
        ending = asyncio.ensure_future(end_appenders())
        await asyncio.gather(*[load(name, PostgresUpdateLog(node)) for name, node in enumerate(nodes)])
        ending.cancel()
        wire.fate_of = lambda _way, _piece: Fate.ARRIVES
        for node in nodes:
            await node.close()
        for document in made:
            assert await in_log(database, document) == sorted(told[document.id].items())

    play(server, body)
