"""What a real MariaDB server tells of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncmy
import pytest
from mariadb_server import MariadbServer, running_mariadb

from connectors.performance.figures import (
    AdviceKind,
    Blocking,
    FigureGroup,
    Level,
    StatementSnapshot,
    Unsupported,
    Visit,
)
from connectors.performance.literals import without_literals
from connectors.performance.mysql import MysqlReader, reader
from connectors.settings import SourceSettings
from handlers.performance.statement_windows import difference

TABLE = "CREATE TABLE sold (id int PRIMARY KEY, shop int, amount int, KEY by_shop (shop), KEY by_both (shop, amount))"


@pytest.fixture(scope="module")
def server() -> Iterator[MariadbServer]:
    with running_mariadb("--performance-schema=on") as running:
        yield running


def settings_of(server: MariadbServer, database: str, user: str = "root") -> SourceSettings:
    return SourceSettings(
        host="127.0.0.1", port=server.port, database=database, user=user, password="", tls="disable"
    )  # fmt: skip


def value_of(visit: Visit, metric: str, **labels: str) -> float:
    [found] = [
        figure.value
        for group in visit.groups
        for figure in group.figures
        if figure.metric == metric and labels.items() <= dict(figure.labels).items()
    ]
    return found


def groups_of(visit: Visit) -> dict[str, FigureGroup]:
    return {group.name: group for group in visit.groups}


async def until(watched: MysqlReader, *, are_some: bool) -> Blocking:
    async with asyncio.timeout(20):
        while bool((found := await watched.blocking()).sessions) is not are_some:  # noqa: ASYNC110 - at the server
            # The server makes these tables anew when nobody has read them for a tenth of a second.
            await asyncio.sleep(0.15)
    return found


def test_what_was_done_between_two_visits_is_what_the_counters_say(server: MariadbServer) -> None:
    database = server.new_database(TABLE)

    async def scenario() -> None:
        watched = reader(settings_of(server, database))
        try:
            before = await watched.visit(Level.FAST)
            await server.execute_soon(
                *(f"INSERT INTO sold VALUES ({number}, 1, 1)" for number in range(50)), database=database
            )
            after = await watched.visit(Level.FAST)
        finally:
            await watched.aclose()
        inserted = [value_of(visit, "mysql.commands", command="insert") for visit in (before, after)]
        assert inserted[1] - inserted[0] == 50
        assert groups_of(before)["status"].epoch == groups_of(after)["status"].epoch
        assert value_of(after, "mysql.connections.open") >= 1

    asyncio.run(scenario())


def test_another_epoch_after_a_reset_and_the_same_for_every_reader(server: MariadbServer) -> None:
    database = server.new_database(TABLE)

    async def scenario() -> None:
        one, other = (reader(settings_of(server, database)) for _ in range(2))
        try:
            epochs = [groups_of(await each.visit(Level.FAST))["status"].epoch for each in (one, other)]
            assert epochs[0] == epochs[1]
            # The server counts its seconds; a reset within the very first would be one with the start.
            await server.execute_soon("DO SLEEP(1.1)", "FLUSH STATUS")
            after = await one.visit(Level.FAST)
            assert groups_of(after)["status"].epoch != epochs[0]
            assert after.server == (await other.visit(Level.MEDIUM)).server
        finally:
            await one.aclose()
            await other.aclose()

    asyncio.run(scenario())


def test_sizes_and_activity(server: MariadbServer) -> None:
    database = server.new_database(TABLE)

    async def scenario() -> None:
        watched = reader(settings_of(server, database))
        try:
            medium = await watched.visit(Level.MEDIUM)
            slow = await watched.visit(Level.SLOW)
        finally:
            await watched.aclose()
        assert medium.unsupported == []
        assert value_of(medium, "mysql.connections.limit") > 0
        assert value_of(medium, "mysql.sessions.blocked") == 0
        assert value_of(slow, "mysql.database.size", database=database) >= 16384
        assert value_of(slow, "mysql.table.rows", database=database, table="sold") == 0

    asyncio.run(scenario())


def test_what_the_account_may_not_see_is_told_and_is_no_zero(server: MariadbServer) -> None:
    database = server.new_database(TABLE, "CREATE OR REPLACE USER plain@'%' IDENTIFIED BY ''")
    server.execute(f"GRANT SELECT ON {database}.* TO plain@'%'")

    async def scenario() -> None:
        watched = reader(settings_of(server, database, "plain"))
        try:
            visit = await watched.visit(Level.MEDIUM)
            told = {each.what: each for each in visit.unsupported}
            assert set(told) == {"sessions", "transactions", "replication"}
            assert told["transactions"].remedy == "GRANT PROCESS ON *.* TO 'plain'@'%';"
            metrics = {figure.metric for group in visit.groups for figure in group.figures}
            assert "mysql.sessions" not in metrics
            assert [each.what for each in (await watched.blocking()).unsupported] == ["blocking"]
            assert isinstance(await watched.statements(), Unsupported)
        finally:
            await watched.aclose()

    asyncio.run(scenario())


def test_who_waits_for_whom(server: MariadbServer) -> None:
    database = server.new_database(TABLE, "INSERT INTO sold VALUES (1, 1, 1)")

    async def scenario() -> None:
        watched = reader(settings_of(server, database))
        holder, waiting = [
            await asyncmy.connect(host="127.0.0.1", port=server.port, user="root", password="", database=database)
            for _ in range(2)
        ]
        try:
            async with holder.cursor() as first, waiting.cursor() as second:
                await first.execute("UPDATE sold SET amount = 2 WHERE id = 1")
                update = asyncio.ensure_future(second.execute("UPDATE sold SET amount = 424242 WHERE id = 1"))
                found = await until(watched, are_some=True)
                await holder.rollback()
                await update
                await waiting.rollback()
                await until(watched, are_some=False)
        finally:
            holder.close()
            waiting.close()
            await watched.aclose()
        by_id = {session.id: session for session in found.sessions}
        root, waiter = by_id[str(holder.thread_id())], by_id[str(waiting.thread_id())]
        assert found.roots == [root.id]
        assert waiter.blocked_by == (root.id,)
        assert waiter.on == f"{database}.sold"
        assert waiter.statement == "UPDATE sold SET amount = 424242 WHERE id = 1"
        assert waiter.normalised == "UPDATE sold SET amount = ? WHERE id = ?"
        assert waiter.waiting_since_ms is not None
        assert abs(waiter.waiting_since_ms - found.at_ms) < 20_000

    asyncio.run(scenario())


def test_statements_between_two_snapshots(server: MariadbServer) -> None:
    database = server.new_database(TABLE)

    async def snapshot(watched: MysqlReader) -> StatementSnapshot:
        found = await watched.statements()
        assert isinstance(found, StatementSnapshot)
        return found

    async def scenario() -> None:
        watched = reader(settings_of(server, database))
        try:
            before = await snapshot(watched)
            await server.execute_soon(
                *(f"SELECT amount FROM sold WHERE id = {number}" for number in range(30)), database=database
            )
            after = await snapshot(watched)
            window = difference(before, after, top=1000)
            assert window is not None
            calls = dict(zip(window.keys, window.counters[:, 0].tolist(), strict=True))
            texts = await watched.statement_texts(list(calls))
        finally:
            await watched.aclose()
        [key] = [key for key, text in texts.items() if "FROM `sold`" in text.text]
        assert calls[key] == 30
        assert window.databases[window.keys.index(key)] == database
        assert texts[key].normalised == "SELECT `amount` FROM `sold` WHERE ID = ?"

    asyncio.run(scenario())


def test_indexes_that_another_one_serves(server: MariadbServer) -> None:
    database = server.new_database(TABLE)

    async def scenario() -> None:
        watched = reader(settings_of(server, database))
        try:
            found = await watched.index_advice()
        finally:
            await watched.aclose()
        assert [(each.kind, each.index) for each in found.advices] == [
            (AdviceKind.REDUNDANT, "by_shop"), (AdviceKind.UNUSED, "by_both"),
        ]  # fmt: skip
        assert found.advices[0].sql == f"ALTER TABLE `{database}`.`sold` DROP INDEX `by_shop`;"
        server_answer = await server.execute_soon(found.advices[0].sql)
        assert server_answer == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sql", "bare", "is_mysql"),
    [
        ("SELECT 'it''s', E'a\\'b', 1.5e-3, $1, $x$y$x$ -- secret", "SELECT ?, ?, ?, $1, ?", False),
        ('SELECT "a""b" FROM t1 WHERE x IN (1, 2,\n3) /* secret */', 'SELECT "a""b" FROM t1 WHERE x IN (?)', False),
        ("SELECT 'cut off", "SELECT ?", False),
        ('SELECT "x\\"y", `a``b`, 0xff FROM t_1 # secret', "SELECT ?, `a``b`, ? FROM t_1", True),
    ],
)
def test_no_literal_is_left(sql: str, bare: str, is_mysql: bool) -> None:
    assert without_literals(sql, backslashes=is_mysql) == bare
