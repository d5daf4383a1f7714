"""Sessions only read by themselves: what the look at a statement's text would let pass, the source refuses."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from sources import ROWS, Source

from connectors import duckdb_engine, duckdb_file, errors, files, mysql, postgresql, sqlite
from connectors.datasets import Kind
from connectors.sql_text import one_select


def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (duckdb_file, files, mysql, postgresql, sqlite):
        monkeypatch.setattr(module, "one_select", lambda sql, **_: sql)
    monkeypatch.setattr(duckdb_engine, "require_one_select", lambda *_: None)


def test_the_source_itself_refuses_to_write(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an account that may write does not."""
    unchecked(monkeypatch)
    table = source.table
    attempts = [
        f"INSERT INTO {table} (id) VALUES (9)",
        f"DELETE FROM {table}",
        f"UPDATE {table} SET id = 9 WHERE id = 1",
        f"DROP TABLE {table}",
        "CREATE TABLE another AS SELECT 1 AS x",
    ]
    settings: dict[str, Any] = {}
    if source.kind is Kind.POSTGRESQL:
        settings = {"user": "postgres", "password": None}
        attempts.append(f"WITH gone AS (DELETE FROM {table} RETURNING id) SELECT * FROM gone")
        attempts.append("SELECT set_config('transaction_read_only', 'off', false)")
    if source.kind is Kind.MYSQL:
        settings = {"user": "root", "password": None}
    if source.kind is Kind.SQLITE:
        attempts += ["PRAGMA query_only = OFF", "ATTACH ':memory:' AS other", "PRAGMA writable_schema = ON", "VACUUM"]
    if source.kind is Kind.DUCKDB:
        attempts += ["ATTACH '/tmp/x.duckdb'", "SET enable_external_access = true", "COPY (SELECT 1) TO '/tmp/x.csv'"]
    if source.kind is Kind.FILES:
        attempts = [
            *attempts[:-1],
            f"COPY (SELECT 1) TO '{source.settings.path}/x.csv'",
            "SET lock_configuration = false",
        ]

    async def run() -> None:
        async with await source.open(**settings) as connector:
            for attempt in attempts:
                with pytest.raises(errors.StatementFailed):
                    await connector.query(attempt)
            assert await connector.count_rows(source.ref) == len(ROWS)
        async with await source.open() as connector:
            assert await connector.count_rows(source.ref) == len(ROWS)

    asyncio.run(run())


def test_settings_of_one_statement_do_not_outlive_it(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    if source.kind not in (Kind.POSTGRESQL, Kind.MYSQL):
        pytest.skip("its settings are locked")
    unchecked(monkeypatch)
    sql = {
        Kind.POSTGRESQL: [
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
            "SET default_transaction_read_only = off",
        ],
        Kind.MYSQL: ["SET SESSION TRANSACTION READ WRITE", "COMMIT"],
    }[source.kind]
    owner = {"user": "postgres" if source.kind is Kind.POSTGRESQL else "root", "password": None}

    async def run() -> None:
        async with await source.limited(connections=1).open(**owner) as connector:
            for statement in sql:
                with contextlib.suppress(errors.StatementFailed):
                    await connector.query(statement)
                with pytest.raises(errors.NotReadOnly):
                    await connector.query(f"DELETE FROM {source.table}")
            assert await connector.count_rows(source.ref) == len(ROWS)

    asyncio.run(run())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " select 1 ; ",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "-- a comment\nSELECT 1",
        "/* ; DROP */ SELECT ';' AS \"into\"",
        "SELECT 'it''s; INTO' FROM t",
        "SELECT $$; delete into$$",
        "SELECT into_the_blue FROM t",
    ],
)
def test_statements_that_read_pass(sql: str) -> None:
    assert one_select(sql).strip() == sql.strip().rstrip("; ")


@pytest.mark.parametrize(
    "sql",
    [
        "", ";", "-- SELECT 1", "DELETE FROM t", "SELECT 1; SELECT 2", "SELECT 1;;DROP TABLE t",
        "EXPLAIN ANALYZE DELETE FROM t",
        "SELECT * INTO b FROM a", "SET x = 1", "BEGIN", "SELECT 1\0", "CALL p()", "DO 1", "x" * 200_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("check", [one_select, lambda sql: one_select(sql, backslashes=True)])
def test_others_do_not(sql: str, check: Callable[[str], str]) -> None:
    with pytest.raises(errors.NotReadOnly):
        check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */",
        "SELECT 1 /*M! INTO DUMPFILE '/tmp/x' */",
        r"SELECT '\' INTO OUTFILE \'x' INTO OUTFILE '/tmp/x'",
        "SELECT 1 # '\nINTO OUTFILE '/tmp/x'",
    ],
)
def test_mysql_s_own_ways_to_write_files_do_not(sql: str) -> None:
    with pytest.raises(errors.NotReadOnly):
        one_select(sql, backslashes=True)
