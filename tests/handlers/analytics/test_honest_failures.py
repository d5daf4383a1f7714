"""Whatever a dataset holds, the answer is one: a status for each part, never a fault of the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
from analysed import Analyst, analyse, pairs_of
from catalog_sources import run_postgres, run_sqlite
from sqlalchemy import make_url

from connectors.connector import Connector
from connectors.datasets import (
    Column,
    ColumnBatch,
    ColumnValues,
    Dataset,
    DatasetKind,
    DatasetRef,
    Description,
    Kind,
    LogicalType,
)
from connectors.errors import OutOfMemory
from connectors.opening import open_connector
from connectors.settings import SourceSettings
from handlers.analytics.loading import Loaded, load
from handlers.analytics.tasks import AnalysisKind, Task

# The large form takes half a minute: ANALYTICS_COLUMNS=10000.
COLUMNS = int(os.environ.get("ANALYTICS_COLUMNS", "1000"))
KINDS = ("correlations", "relationships")
ODD = """
CREATE TABLE empty (a INTEGER, b REAL, c TEXT);
CREATE TABLE single (a INTEGER, b REAL, c TEXT);
INSERT INTO single VALUES (1, 2.5, 'x');
CREATE TABLE blank (a INTEGER, b REAL, c TEXT);
INSERT INTO blank VALUES (NULL, NULL, NULL), (NULL, NULL, NULL), (NULL, NULL, NULL);
CREATE TABLE same (a INTEGER, b REAL, c TEXT);
INSERT INTO same VALUES (1, 2.5, 'x'), (1, 2.5, 'x'), (1, 2.5, 'x'), (1, 2.5, 'x'), (1, 2.5, 'x');
CREATE TABLE mixed (a INTEGER, b REAL, c BLOB, d JSON);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO mixed SELECT CASE i % 4 WHEN 0 THEN 'text' ELSE i END,
    CASE i WHEN 7 THEN 9e999 WHEN 9 THEN -9e999 ELSE i END, x'00ff', '{"a": ' || i || '}' FROM n;
CREATE TABLE blobs (a TEXT, b REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO blobs SELECT hex(randomblob(5000)), i FROM n;
"""


def test_odd_tables(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        ids = await analyst.sqlite(ODD)
        answers = {
            (table, kind): await analyst.ask(kind, ids[table], others=0)
            if kind == "relationships"
            else await analyst.ask(kind, ids[table])
            for table in ids
            for kind in KINDS
        }
        assert {answer["state"] for answer in answers.values()} == {"done"}, answers
        statuses = {
            table: {column["name"]: column["status"] for column in answers[table, "correlations"]["result"]["columns"]}
            for table in ids
        }
        assert set(statuses["empty"].values()) == set(statuses["blank"].values()) == {"all_null"}
        assert set(statuses["same"].values()) == {"constant"}
        assert set(statuses["single"].values()) <= {"too_few", "constant"}
        mixed = {column["name"]: column for column in answers["mixed", "correlations"]["columns"]}
        assert (mixed["a"]["role"], mixed["b"]["infinities"]) == ("category", 2)
        assert mixed["c"]["status"] == mixed["d"]["status"] == "not_analysed"
        assert mixed["d"]["note"] == "only whether there is a value is looked at in json columns"
        [text, _] = answers["blobs", "correlations"]["columns"]
        assert text["cut"] == 60

    analyse(sqlite_url, tmp_path, scenario)


def test_thousands_of_columns_and_names_given_twice(sqlite_url: str, tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(COLUMNS)]
    rows = [[(row * 31 + number * 17) % 101 for number in range(COLUMNS)] for row in range(12)]
    wide = "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)])
    twice = "a,a,b\n" + "\n".join(f"{i},{i * i % 97},{i % 3}" for i in range(50))

    async def scenario(analyst: Analyst) -> None:
        ids = await analyst.files(wide=wide, twice=twice)
        answer = await analyst.ask("correlations", ids["wide.csv"], max_pairs=500)
        result = answer["result"]
        assert len(answer["columns"]) == COLUMNS
        read = [column["name"] for column in answer["columns"] if column["status"] == "ok"]
        if len(read) < COLUMNS:
            assert answer["state"] == "partial"
            assert answer["columns"][-1]["status"] == "left_out"
            assert answer["notes"][0].startswith(f"Only the first {len(read)} of {COLUMNS} columns were read")
        assert len(result["pairs"]) == 500
        assert result["pairs_left_out"] == result["pairs_possible"] - 500
        assert result["rule"]
        both = await analyst.ask("correlations", ids["twice.csv"])
        assert len({column["name"] for column in both["columns"]}) == 3
        assert len(pairs_of(both)) == 3

    analyse(sqlite_url, tmp_path, scenario)


def test_columns_that_do_not_fit_into_memory_together_are_left_out() -> None:
    """Of thousands of columns an engine holds a stretch each; those that are read are answered for."""

    class Narrow:
        """A connector that has memory for so many columns."""

        kind = Kind.DUCKDB

        async def count_rows(self, _: DatasetRef) -> int:
            return 3

        async def fetch(self, _: DatasetRef, names: list[str], **__: Any) -> AsyncGenerator[ColumnBatch, None]:
            if len(names) > 150:
                raise OutOfMemory("too much")
            values = ColumnValues(LogicalType.NUMBER, np.arange(3.0))
            yield ColumnBatch(dict.fromkeys(names, values), 3)

    columns = tuple(Column(f"c{n}", "DOUBLE", LogicalType.NUMBER, True, n + 1) for n in range(500))
    description = Description(Dataset(DatasetRef(None, "t"), DatasetKind.TABLE), columns)
    task = Task(kind=AnalysisKind.CORRELATIONS, dataset="t", schema_name=None, name="t")
    loaded = asyncio.run(load(cast(Connector, Narrow()), task, description))
    assert (len(loaded.frame.columns), loaded.frame.rows, len(loaded.left_out)) == (125, 3, 375)
    assert "first 125 of 500 columns" in loaded.notes[0]


def test_a_server_that_dies_in_the_middle_leaves_what_was_read(empty_postgres_url: str) -> None:
    """Its sessions are ended after the first rows: what was read until then is answered for, and said to be partial."""
    at = make_url(empty_postgres_url)
    settings = SourceSettings(
        host=at.host or str(at.query["host"]),
        port=at.port,
        database=at.database,
        user=at.username,
        tls="disable",
    )
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    killed: list[int] = []

    def kill() -> None:
        if not killed:
            killed.append(1)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, run_postgres(empty_postgres_url, end)).result()

    async def scenario() -> Loaded:
        made = "CREATE TABLE t AS SELECT i AS a, i * 2.5 AS b FROM generate_series(1, 200000) AS s(i);"
        await run_postgres(empty_postgres_url, made)
        async with await open_connector(Kind.POSTGRESQL, settings) as connector:
            description = await connector.describe(DatasetRef("public", "t"))
            task = Task(kind=AnalysisKind.CORRELATIONS, dataset="t", schema_name="public", name="t", rows=200_000)
            return await load(connector, task, description, check=kill)

    loaded = asyncio.run(scenario())
    assert 0 < loaded.rows.read < 200_000
    assert (loaded.rows.method, loaded.rows.is_sample, loaded.rows.total) == ("first rows", True, 200_000)
    assert loaded.is_broken
    assert "reading ended early" in loaded.notes[0]
    assert loaded.frame.rows == loaded.rows.read


def test_a_source_that_is_gone_is_told(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        ids = await analyst.sqlite("CREATE TABLE t (a INTEGER); CREATE TABLE u (a INTEGER);")
        run_sqlite(tmp_path / "shop.db", "DROP TABLE t;")
        status, code, _ = await analyst.refused(f"/analytics/correlations/{ids['t']}")
        assert (status, code) == (404, "dataset_not_found")
        (tmp_path / "shop.db").unlink()
        status, code, _ = await analyst.refused(f"/analytics/correlations/{ids['u']}")
        assert (status, code) == (409, "path_not_found")

    analyse(sqlite_url, tmp_path, scenario)
