"""The contract of every connector, on real sources of every kind."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from sources import COLUMNS, ROWS, SECRET, TEXT, Source, quoted
from waiting import wait_until

from connectors import errors
from connectors.connector import Connector
from connectors.datasets import (
    ChangeMethod,
    ColumnBatch,
    DatasetKind,
    DatasetRef,
    Kind,
    LogicalType,
    Sample,
    Watermark,
)


def play(source: Source, scenario: Callable[[Connector], Awaitable[None]], **changes: Any) -> None:
    async def run() -> None:
        async with await source.open(**changes) as connector:
            await scenario(connector)

    asyncio.run(run())


async def fetched(connector: Connector, ref: DatasetRef, *args: Any, **options: Any) -> list[ColumnBatch]:
    async with contextlib.aclosing(connector.fetch(ref, *args, **options)) as batches:
        return [batch async for batch in batches]


def plain(batch: ColumnBatch, name: str) -> list[Any]:
    values = batch.columns[name]
    nulls = values.nulls if values.nulls is not None else [False] * batch.rows
    return [None if null else value for value, null in zip(values.values.tolist(), nulls, strict=True)]


def test_it_says_who_answers(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        health = await connector.test()
        names = {Kind.FILES: "1 files", Kind.MYSQL: "MariaDB", Kind.SQLITE: "SQLite", Kind.DUCKDB: "DuckDB"}
        assert names.get(source.kind, "PostgreSQL") in health.server
        assert 0 < health.latency_ms < 5000
        assert health.rights == ("read",)
        assert health.warnings == ()

    play(source, scenario)


def test_it_lists_what_is_there(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        found = {dataset.ref.name: dataset for dataset in await connector.list_datasets()}
        if source.kind is Kind.FILES:
            assert list(found) == [source.ref.name]
            dataset = found[source.ref.name]
            assert (dataset.kind, dataset.bytes, bool(dataset.etag)) == (DatasetKind.FILE, dataset.bytes, True)
            assert dataset.modified_at is not None
            return
        assert set(found) == {source.ref.name, "part", "seen"}
        assert found[source.ref.name].ref == source.ref or source.kind is Kind.SQLITE
        assert found["seen"].kind is DatasetKind.VIEW
        assert found["part"].kind is DatasetKind.TABLE

    play(source, scenario)


def test_it_describes_columns(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        description = await connector.describe(source.ref)
        assert tuple(column.name for column in description.columns) == COLUMNS
        assert [column.ordinal for column in description.columns] == [1, 2, 3, 4, 5, 6]
        kinds = [column.logical_type for column in description.columns]
        amount = LogicalType.NUMBER if source.kind is Kind.FILES else LogicalType.DECIMAL
        assert kinds == [
            LogicalType.INTEGER, LogicalType.TEXT, amount, LogicalType.TIMESTAMP, LogicalType.DATE, LogicalType.BOOLEAN,
        ]  # fmt: skip
        if source.kind is not Kind.FILES:
            assert description.primary_key == ("id",)
            assert [column.nullable for column in description.columns] == [False, True, True, True, True, True]

    play(source, scenario)


def test_it_describes_keys_indexes_and_views(source: Source) -> None:
    if source.kind is Kind.FILES:
        pytest.skip("files have none")

    async def scenario(connector: Connector) -> None:
        part = await connector.describe(DatasetRef(source.ref.schema, "part"))
        [key] = part.foreign_keys
        assert (key.columns, key.target.name, key.target_columns) == (("whole",), source.ref.name, ("id",))
        assert [unique.columns for unique in part.unique_keys] == [("code",)]
        assert part.primary_key == ("id",)
        assert ("part_whole", False) in [(index.name, index.unique) for index in part.indexes]
        view = await connector.describe(DatasetRef(source.ref.schema, "seen"))
        assert [column.name for column in view.columns] == ["id", TEXT]
        if source.kind is not Kind.MYSQL:  # tells it only to who may see the view's making
            assert view.definition is not None
            assert "select" in view.definition.lower()

    play(source, scenario)


def test_it_describes_everything_at_once_as_one_by_one(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        everything = await connector.describe_all()
        assert list(everything) == [await connector.describe(each.ref) for each in await connector.list_datasets()]

    play(source, scenario)


def test_it_fetches_all_types(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        [batch] = await fetched(connector, source.ref)
        assert (batch.rows, batch.truncated, tuple(batch.columns)) == (len(ROWS), False, COLUMNS)
        assert plain(batch, "id") == [1, 2, 3, 4, 5]
        assert plain(batch, "amount") == [row[2] for row in ROWS]
        assert plain(batch, "is new") == [row[5] for row in ROWS]
        assert plain(batch, TEXT)[:4] == [row[1] for row in ROWS[:4]]
        times, days = batch.columns["at"], batch.columns["day"]
        assert times.values[0] == np.datetime64("2024-02-29T12:30:00.250000")
        assert (times.values.dtype, days.values.dtype) == (np.dtype("datetime64[us]"), np.dtype("datetime64[D]"))
        assert days.values[0] == np.datetime64("1969-12-31")
        assert plain(batch, "day")[1] is plain(batch, "at")[1] is None
        assert batch.columns["id"].values.dtype == np.int64
        assert batch.columns["amount"].values.dtype == np.float64

    play(source, scenario)


def test_long_texts_are_cut_and_counted(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        [batch] = await fetched(connector, source.ref, (TEXT,))
        assert [len(value or "") for value in plain(batch, TEXT)] == [7, 0, 4, 4, 1000]
        assert batch.columns[TEXT].cut == 1
        [whole] = await fetched(connector, source.ref, (TEXT,), text_limit=None)
        assert len(whole.columns[TEXT].values[4]) == 2000
        assert whole.columns[TEXT].cut == 0

    play(source, scenario)


def test_batches_and_the_row_cap(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        batches = await fetched(connector, source.ref, ("id",), batch_rows=2)
        assert [plain(batch, "id") for batch in batches] == [[1, 2], [3, 4], [5]]
        assert not any(batch.truncated for batch in batches)
        capped = await fetched(connector, source.ref, ("id",), batch_rows=2, row_cap=3)
        assert [plain(batch, "id") for batch in capped] == [[1, 2], [3]]
        assert [batch.truncated for batch in capped] == [False, True]
        exact = await fetched(connector, source.ref, ("id",), row_cap=5)
        assert [batch.truncated for batch in exact] == [False]

    play(source, scenario)


def test_the_source_s_own_cap_holds_whatever_is_asked_for(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        batches = await fetched(connector, source.ref, ("id",), row_cap=1000)
        assert sum(batch.rows for batch in batches) == 2
        assert batches[-1].truncated
        answer = await connector.query(f"SELECT id FROM {source.table}", max_rows=1000)
        assert (len(answer.rows), answer.truncated) == (2, True)

    play(source.limited(row_cap=2), scenario)


def test_a_fetch_that_is_left_early_gives_its_connection_back(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        for _ in range(3):
            async with contextlib.aclosing(connector.fetch(source.ref, batch_rows=1)) as batches:
                async for _batch in batches:
                    break
        assert await connector.count_rows(source.ref) == len(ROWS)

    play(source.limited(connections=1), scenario)


def test_rows_after_a_watermark(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        for name in ("id", "at", "day", "amount", TEXT):
            marker = await connector.change_marker(source.ref, name)
            assert marker.method is ChangeMethod.WATERMARK
            assert marker.watermark is not None
            assert await connector.count_rows(source.ref, after=Watermark(name, marker.watermark)) == 0
        assert await connector.count_rows(source.ref, after=Watermark("id", "3")) == 2
        [batch] = await fetched(connector, source.ref, ("id",), after=Watermark("at", "2024-03-01 00:00:00"))
        assert plain(batch, "id") == [4, 5]

    play(source, scenario)


def test_a_sample_is_a_part(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        everything = await fetched(connector, source.ref, ("id",), sample=Sample(100))
        assert sorted(value for batch in everything for value in plain(batch, "id")) == [1, 2, 3, 4, 5]
        some = await fetched(connector, source.ref, ("id",), sample=Sample(2, seed=7), after=Watermark("id", "1"))
        assert {value for batch in some for value in plain(batch, "id")} <= {2, 3, 4, 5}

    play(source, scenario)


def add_a_row(source: Source) -> None:
    row = "(6, 'new', 1, '2024-04-01', '2024-04-01', TRUE)"
    line = '6,new,1,"2024-04-01 00:00:00","2024-04-01",true'
    source.write(line if source.kind is Kind.FILES else f"INSERT INTO {source.table} VALUES {row}")


def test_a_change_shows(source: Source) -> None:
    async def marker() -> Any:
        async with await source.open() as connector:
            return await connector.change_marker(source.ref)

    first = asyncio.run(marker())
    again = asyncio.run(marker())
    assert again.same_as(first)
    assert first.method is not ChangeMethod.NONE
    add_a_row(source)
    # Servers tell their counters a moment later, at the latest when the session that changed something has ended.
    deadline = time.monotonic() + 20
    while asyncio.run(marker()).same_as(first):
        assert time.monotonic() < deadline


def test_only_reading_is_possible(source: Source) -> None:
    table = source.table
    attempts = (
        f"INSERT INTO {table} (id) VALUES (9)",
        f"DELETE FROM {table}",
        f"DROP TABLE {table}",
        "CREATE TABLE another (id int)",
        f"SELECT id FROM {table}; DELETE FROM {table}",
        f"SELECT * INTO another FROM {table}",
        f"WITH gone AS (DELETE FROM {table} RETURNING id) SELECT * FROM gone",
        f"/* SELECT */ UPDATE {table} SET id = 9",
        "SET TRANSACTION READ WRITE",
        "COMMIT",
        "",
    )

    async def scenario(connector: Connector) -> None:
        for attempt in attempts:
            with pytest.raises(errors.StatementFailed):
                await connector.query(attempt)
        assert await connector.count_rows(source.ref) == len(ROWS)

    play(source, scenario)


def test_query_answers_plain_rows(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        column = quoted(TEXT, "`" if source.kind is Kind.MYSQL else '"')
        sql = f"SELECT id, {column} AS t, amount FROM {source.table} WHERE id < 4 ORDER BY id;"
        answer = await connector.query(sql, max_rows=2)
        assert answer.columns == ("id", "t", "amount")
        assert [tuple(row) for row in answer.rows] == [(1, "Ägypten", 1.5), (2, None, None)]
        assert answer.truncated
        with pytest.raises((errors.StatementFailed, errors.DatasetNotFound)):
            await connector.query("SELECT nonsense FROM nowhere")
        assert len((await connector.query(sql)).rows) == 3

    play(source, scenario)


def test_a_statement_that_takes_too_long_is_stopped(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        started = time.monotonic()
        with pytest.raises(errors.StatementTimeout):
            await connector.query(source.slow)
        assert 0.5 < time.monotonic() - started < 4
        assert await connector.count_rows(source.ref) == len(ROWS)

    play(source.limited(statement_seconds=1.0, connections=1), scenario)


def test_cancelling_interrupts_at_once(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        asking = asyncio.ensure_future(connector.query(source.slow))
        done, _ = await asyncio.wait((asking,), timeout=0.3)
        assert not done
        started = time.monotonic()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # The only session is free again: the statement ended there too.
        assert await connector.count_rows(source.ref) == len(ROWS)
        assert time.monotonic() - started < 1

    play(source.limited(connections=1), scenario)


@pytest.mark.parametrize("source", [Kind.POSTGRESQL, Kind.MYSQL], indirect=True)
def test_what_is_cancelled_ends_at_the_server(source: Source) -> None:
    def running() -> bool:
        if source.kind is Kind.POSTGRESQL:
            rows = source.write(
                "SELECT query FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(6%'"
            )
        else:
            rows = source.write("SELECT INFO FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT sleep(6%'")
        assert isinstance(rows, list)
        return bool([row for row in rows if "LIKE" not in str(row)])

    async def scenario(connector: Connector) -> None:
        async def stream() -> None:
            await connector.query(source.slow)

        asking = asyncio.ensure_future(stream())
        await asyncio.to_thread(wait_until, running, 10, lambda: "the statement never began")
        asking.cancel()
        started = time.monotonic()
        await asyncio.wait((asking,))
        await asyncio.to_thread(wait_until, lambda: not running(), 10, lambda: "it goes on at the server")
        assert time.monotonic() - started < 1

    play(source, scenario)


def test_more_than_its_connections_wait(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        slow = [asyncio.ensure_future(connector.query(source.slow)) for _ in range(2)]
        # By then they have the connections, whatever they look at before.
        done, _ = await asyncio.wait(slow, timeout=0.5)
        assert not done
        waiting = asyncio.ensure_future(connector.count_rows(source.ref))
        await asyncio.wait((waiting,), timeout=0.5)
        assert not waiting.done()
        assert not any(one.done() for one in slow)
        slow[0].cancel()
        assert await waiting == len(ROWS)
        slow[1].cancel()
        await asyncio.wait(slow)

    play(source.limited(connections=2), scenario)


def test_what_is_not_there(source: Source) -> None:
    async def scenario(connector: Connector) -> None:
        for ref in (
            DatasetRef(None, "nothing"),
            DatasetRef("nowhere", "x"),
            DatasetRef(None, "../x"),
            DatasetRef(None, "a\0b"),
        ):
            with pytest.raises(errors.DatasetNotFound):
                await connector.describe(ref)
            with pytest.raises(errors.DatasetNotFound):
                await fetched(connector, ref)
        with pytest.raises(errors.DatasetNotFound, match="no column 'nope'"):
            await fetched(connector, source.ref, ("nope",))
        with pytest.raises(errors.DatasetNotFound):
            await connector.count_rows(source.ref, after=Watermark("nope", "1"))
        with pytest.raises(errors.DatasetNotFound):
            await connector.change_marker(source.ref, "nope")

    play(source, scenario)


def test_nothing_shows_the_password(source: Source) -> None:
    assert SECRET not in repr(source.settings)


def test_a_closed_connector_says_so(source: Source) -> None:
    async def run() -> None:
        connector = await source.open()
        await connector.aclose()
        await connector.aclose()
        with pytest.raises(errors.SourceLost):
            await connector.count_rows(source.ref)

    asyncio.run(run())
