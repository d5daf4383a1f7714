"""A server that goes away, comes back, freezes, or turns out to be another: requests fail in words, and then work."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from faulty_wire import Fate, Way, faulty_wire
from postgres_server import PostgresServer, running_postgres
from sqlalchemy import text

from storage import update_log
from storage.database import Database
from storage.errors import StorageError, Unavailable
from storage.postgres_engine import keep_alive
from storage.postgres_update_log import PostgresUpdateLog
from tests.storage.opened import append_of, make_documents, with_database

# In place of ten and five seconds.
QUICK = "?command_timeout=0.4&connect_timeout=0.4"
# The driver says goodbye to a lost connection for two seconds.
NOTICED_SECONDS = 4.0


@pytest.fixture(scope="module")
def servers() -> Iterator[list[PostgresServer]]:
    with running_postgres() as one, running_postgres() as other:
        yield [one, other]


@pytest.fixture
def server(servers: list[PostgresServer]) -> PostgresServer:
    servers[0].refresh()
    return servers[0]


@pytest.fixture
def another(servers: list[PostgresServer]) -> PostgresServer:
    """It has a database of the same name."""
    servers[1].start()
    servers[1].database = "postgres"
    servers[1].execute(f"CREATE DATABASE {servers[0].database}")
    servers[1].database = servers[0].database
    return servers[1]


async def backend(database: Database) -> int:
    """The process that serves a transaction."""
    async with database.read() as connection:
        return int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)


async def write(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS written (x integer)"))


async def shown(database: Database, *names: str) -> list[str]:
    async with database.read() as connection:
        return [str(await connection.scalar(text(f"SHOW {name}"))) for name in names]


async def at_once(count: int, what: Callable[[], Awaitable[object]]) -> None:
    await asyncio.gather(*[what() for _ in range(count)])


async def refused(what: Awaitable[object]) -> str:
    with pytest.raises(Unavailable) as raised:
        await what
    return str(raised.value)


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill, PostgresServer.cut_connections])
def test_a_restart_costs_no_request(server: PostgresServer, end: Callable[[PostgresServer], None]) -> None:
    async def body(database: Database) -> None:
        await at_once(8, lambda: backend(database))
        await asyncio.to_thread(end, server)
        await asyncio.to_thread(server.start)
        await at_once(20, lambda: backend(database))
        await write(database)

    with_database(server.url, body)


def test_a_connection_that_is_found_lost_by_its_begin_is_replaced(server: PostgresServer) -> None:
    """The kernel does not know it yet: the other end is gone without a word."""

    async def body() -> None:
        async with faulty_wire(server.port) as wire:
            database = await Database.open(server.url_by(wire.port), pool_size=4)
            await at_once(4, lambda: backend(database))
            known = list(wire.lines)
            begins = iter([Fate.LOST])
            wire.fate_of = lambda way, _piece: next(begins, Fate.ARRIVES) if way is Way.TO_SERVER else Fate.ARRIVES
            await backend(database)
            assert len(wire.lines) == len(known) + 1
            # The others were not asked: what happened to one has most likely happened to all.
            await at_once(4, lambda: backend(database))
            assert len(wire.lines) == len(known) + 4
            await database.close()

    asyncio.run(body())


def test_a_server_that_is_down_is_unavailable_at_once(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        await at_once(3, lambda: backend(database))
        await asyncio.to_thread(server.stop)
        started = time.monotonic()
        for _ in range(3):
            assert "cannot be reached" in await refused(backend(database))
        assert time.monotonic() - started < 1
        await asyncio.to_thread(server.start)
        await write(database)

    with_database(server.url, body)


def test_a_connection_lost_in_a_transaction_takes_only_that_along(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        await write(database)

        async def interrupted() -> None:
            async with database.write() as connection:
                await connection.execute(text("INSERT INTO written VALUES (1)"))
                await asyncio.to_thread(server.cut_connections)
                await connection.execute(text("INSERT INTO written VALUES (2)"))

        await refused(interrupted())
        async with database.read() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM written")) == 0

    with_database(server.url, body)


def test_a_frozen_server_is_noticed_and_forgotten_when_it_thaws(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        await write(database)
        server.freeze()
        started = time.monotonic()
        assert "does not answer" in await refused(backend(database))
        # No connection of the pool is tried again, and no new one waits for ever.
        await asyncio.gather(*[refused(backend(database)) for _ in range(6)])
        assert time.monotonic() - started < 2 * NOTICED_SECONDS
        server.thaw()
        await write(database)

    with_database(server.url + QUICK, body)


def test_a_frozen_server_does_not_hold_an_append_for_ever(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        await database.migrate()
        (document,) = await make_documents(database, "one")
        log = PostgresUpdateLog(database)
        await log.append([append_of(document, b"a")])
        server.freeze()
        started = time.monotonic()
        await refused(log.append([append_of(document, b"b")]))
        assert time.monotonic() - started < NOTICED_SECONDS
        server.thaw()
        # The first attempt is executed now, or was cancelled: it must not matter.
        assert await log.append([append_of(document, b"b")]) == {document.id: 2}
        assert len((await update_log.load(database, document.id)).updates) == 2

    with_database(server.url + QUICK, body)


def test_after_a_failover_connections_to_the_old_server_are_given_up(
    server: PostgresServer, another: PostgresServer
) -> None:
    """The old primary came back as a standby. It goes on answering, and takes no writes."""

    async def body() -> None:
        async with faulty_wire(server.port) as wire:
            database = await Database.open(server.url_by(wire.port), pool_size=3)
            await at_once(3, lambda: backend(database))
            wire.server = ("127.0.0.1", another.port)
            assert "read-only" in await refused(write(database))
            for _ in range(5):
                await write(database)
            await database.close()

    server.stop()
    server.start(standby=True)
    asyncio.run(body())


def test_a_write_in_a_transaction_that_only_reads_is_our_mistake(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        known = await backend(database)
        with pytest.raises(StorageError) as raised:
            async with database.read() as connection:
                await connection.execute(text("CREATE TABLE written (x integer)"))
        assert not isinstance(raised.value, Unavailable)
        assert await backend(database) == known

    with_database(server.url, body)


def test_of_several_hosts_the_one_that_takes_writes_is_used(server: PostgresServer, another: PostgresServer) -> None:
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{another.port}"
    url = f"postgresql://postgres@{hosts}/{server.database}{QUICK}&target_session_attrs=read-write"
    server.stop()
    server.start(standby=True)
    with_database(url, write)
    server.freeze()
    started = time.monotonic()
    with_database(url, write)
    assert time.monotonic() - started < NOTICED_SECONDS
    server.thaw()
    another.stop()

    async def none_left() -> None:
        await Database.open(url)

    assert "none of the hosts can be used" in asyncio.run(refused(none_left()))


def test_one_host_that_takes_no_writes_is_waited_for(server: PostgresServer) -> None:
    server.stop()
    server.start(standby=True)

    async def body() -> None:
        await Database.open(server.url + "?target_session_attrs=read-write")

    assert "none of the hosts can be used" in asyncio.run(refused(body()))


def test_too_many_connections_is_a_matter_of_time(server: PostgresServer) -> None:
    server.execute("CREATE ROLE ann LOGIN", "ALTER ROLE ann CONNECTION LIMIT 1")

    async def body(database: Database) -> None:
        async with database.read():
            assert "too many connections" in await refused(backend(database))
        await backend(database)

    with_database(server.url.replace("postgres@", "ann@"), body)


def test_each_connection_has_limits_and_an_operators_own_stand(server: PostgresServer) -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")

    async def body(database: Database) -> list[str]:
        return await shown(database, *names)

    assert with_database(server.url, body) == ["5s", "9s", "10s", "on"]
    assert with_database(server.url + "?command_timeout=60", body)[1] == "59s"
    server.execute("ALTER ROLE postgres SET lock_timeout = '2s'", "ALTER ROLE postgres SET synchronous_commit = off")
    assert with_database(server.url, body) == ["2s", "9s", "10s", "on"]
    server.execute("ALTER ROLE postgres SET synchronous_commit = 'remote_apply'")
    assert with_database(server.url, body)[3] == "remote_apply"


def test_who_waits_for_a_lock_gives_up(server: PostgresServer) -> None:
    server.execute("ALTER ROLE postgres SET lock_timeout = '50ms'")

    async def body(database: Database) -> None:
        await database.migrate()
        (document,) = await make_documents(database, "one")
        log = PostgresUpdateLog(database)
        async with database.write() as connection:
            await connection.execute(text("SELECT * FROM documents FOR UPDATE"))
            assert "lock timeout" in await refused(log.append([append_of(document, b"a")]))
        assert await log.append([append_of(document, b"a")]) == {document.id: 1}

    with_database(server.url, body)


def test_behind_a_pooler_nothing_is_left_on_the_connection(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        await database.migrate()
        (document,) = await make_documents(database, "one")
        log = PostgresUpdateLog(database)
        for number in range(1, 4):
            assert await log.append([append_of(document, b"a")]) == {document.id: number}
        async with database.read() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0

    with_database(server.url + "?prepared_statement_cache_size=0", body)


def test_the_kernel_watches_idle_connections(server: PostgresServer) -> None:
    async def body(database: Database) -> bool:
        async with database.read() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            used = raw.driver_connection._transport.get_extra_info("socket")
            return bool(used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    assert with_database(server.url, body)
    with socket.socket() as connected:
        keep_alive(connected)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    with socket.socket(socket.AF_UNIX) as local:
        keep_alive(local)


def test_restarts_under_load_heal_within_seconds(server: PostgresServer) -> None:
    async def body(database: Database) -> None:
        await database.migrate()
        (document,) = await make_documents(database, "one")
        log, stop = PostgresUpdateLog(database), asyncio.Event()
        served: list[float] = []
        appended = 0

        async def load(what: Callable[[], Awaitable[object]]) -> None:
            while not stop.is_set():
                try:
                    await what()
                except Unavailable:
                    await asyncio.sleep(0.01)
                else:
                    served.append(time.monotonic())

        async def append() -> None:
            nonlocal appended
            assert await log.append([append_of(document, b"%d" % (appended + 1))]) == {document.id: appended + 1}
            appended += 1

        loads = [append, *[lambda: backend(database)] * 4]
        running = [asyncio.ensure_future(load(what)) for what in loads]
        for end in (server.stop, server.kill):
            await asyncio.to_thread(end)
            await asyncio.to_thread(server.start)
            up, before = time.monotonic(), appended
            while appended == before or served[-1] < up:
                assert time.monotonic() - up < 5
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*running)
        rows = (await update_log.load(database, document.id)).updates
        assert [row.data for row in rows] == [b"%d" % number for number in range(1, appended + 1)]

    with_database(server.url, body)
