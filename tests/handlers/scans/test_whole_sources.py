"""Sources of the size and shape that people have, scanned as a whole.

The everyday form is small. `SCAN_ROWS=1000000 SCAN_TABLES=300 SCAN_PARQUET_ROWS=10000000` (`make scan-sizes`) is the
large one.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import duckdb
import psutil  # type: ignore[import-untyped]
import pytest
from postgres_server import PostgresServer
from scanning import CARDS, Scanner, scan_with, shop

# Of the large form.
pytestmark = pytest.mark.timeout(900)

ROWS = int(os.environ.get("SCAN_ROWS", "50000"))
TABLES = int(os.environ.get("SCAN_TABLES", "40"))
PARQUET_ROWS = int(os.environ.get("SCAN_PARQUET_ROWS", "400000"))
DEADLINE = 900.0
GIBIBYTE = 2**30
AGAIN: dict[str, Any] = {"mode": "incremental", "deadline": DEADLINE}


def written(folder: Path, name: str, query: str, form: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{folder / name}' ({form})")


def told(name: str, scan: dict[str, Any], began: float) -> None:
    seconds = time.monotonic() - began
    print(f"{name}: {scan['summary']} in {seconds:.1f} s ({scan['summary']['rows'] / seconds:.0f} rows/s)")


def test_a_server_with_many_tables(engine_url: str, tmp_path: Path, source_server: PostgresServer) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon(
            *(
                f"CREATE TABLE t{number:03d} AS SELECT i AS id, 'person' || i || '@example.org' AS email,"
                f" i * {number + 1} AS amount, now() AS at, '{CARDS[0]}' AS card_number FROM generate_series(1, 200) i"
                for number in range(TABLES)
            ),
            "ALTER TABLE t000 ADD PRIMARY KEY (id)",
            "CREATE VIEW seen AS SELECT id, email FROM t000",
            "SELECT pg_stat_force_next_flush()",
        )
        address: dict[str, Any] = {"host": "127.0.0.1", "port": source_server.port, "database": source_server.database}
        source = await scanner.source("many", "postgresql", user="postgres", **address)
        began = time.monotonic()
        first = await scanner.scan(source, deadline=DEADLINE)
        told(f"{TABLES} tables", first, began)
        assert first["summary"]["succeeded"] == TABLES + 1
        assert first["summary"]["sensitive_columns"] >= 2 * TABLES
        await source_server.execute_soon("INSERT INTO t007 SELECT * FROM t007", "SELECT pg_stat_force_next_flush()")
        began = time.monotonic()
        second = await scanner.scan(source, **AGAIN)
        told("what changed", second, began)
        outcomes = await scanner.outcomes(second["id"])
        changed = {name for name, outcome in outcomes.items() if outcome["state"] == "succeeded"}
        # A view tells nothing of changes.
        assert changed == {"public.t007", "public.seen"}
        assert outcomes["public.t007"]["change"]["method"] == "statistics"
        assert second["summary"]["unchanged"] == TABLES - 1

    scan_with(engine_url, tmp_path, scenario)


def test_a_folder_of_parquet_and_csv(engine_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    people = f"""
        SELECT i AS id, 'person' || i || '@example.org' AS email, (i * 7919) % 100003 / 7.0 AS amount,
               DATE '2020-01-01' + (i % 1500)::INT AS day, ['red', 'green', 'blue'][i % 3 + 1] AS colour
        FROM range({ROWS}) r(i)"""
    written(folder, "people.parquet", people, "FORMAT parquet")
    written(folder, "people.csv", people, "FORMAT csv, HEADER")
    written(folder, "small.csv", f"{people} WHERE i < 100", "FORMAT csv, HEADER")

    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("folder", "files", path=str(folder))
        began = time.monotonic()
        first = await scanner.scan(source, deadline=DEADLINE)
        told("a folder", first, began)
        assert (first["summary"]["succeeded"], first["summary"]["rows"]) == (3, 2 * ROWS + 100)
        for name in ("people.parquet", "people.csv"):
            [colour] = await scanner.results(first["id"], dataset=name, column="colour", kind="profile")
            assert (colour["body"]["distinct"], colour["body"]["nulls"]) == (3, 0)
            [found] = await scanner.results(first["id"], dataset=name, kind="classification", column="email")
            assert found["body"]["type"] == "email"
        await asyncio.to_thread(written, folder, "small.csv", f"{people} WHERE i < 101", "FORMAT csv, HEADER")
        second = await scanner.scan(source, **AGAIN)
        assert (second["summary"]["unchanged"], second["summary"]["rows"]) == (2, 101)
        assert second["summary"]["methods"] == {"file": 3}

    scan_with(engine_url, tmp_path, scenario)


def test_a_sqlite_file(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path, orders=ROWS)))
        began = time.monotonic()
        first = await scanner.scan(source, deadline=DEADLINE)
        told("SQLite", first, began)
        assert first["summary"]["succeeded"] == 3
        second = await scanner.scan(source, **AGAIN)
        assert (second["summary"]["unchanged"], second["summary"]["rows"]) == (3, 0)

    scan_with(engine_url, tmp_path, scenario)


def test_a_large_parquet_file_within_a_gibibyte(engine_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    columns = ", ".join(
        f"hash(i + {number}) % {10 ** (number + 2)} / {number + 1}.0 AS n{number}" for number in range(6)
    )
    query = f"SELECT i AS id, {columns}, 'customer ' || (hash(i) % 5000000) AS name FROM range({PARQUET_ROWS}) r(i)"
    written(folder, "large.parquet", query, "FORMAT parquet")

    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("folder", "files", path=str(folder))
        began, most = time.monotonic(), 0
        scan = await scanner.begin(source, parts=["profile", "classification"])
        async with asyncio.timeout(DEADLINE):
            while (found := await scanner.look(scan))["finished_at"] is None:
                for pid in scanner.node.parts.readers.pids:
                    most = max(most, resident(pid))
                await asyncio.sleep(0.1)
        told(f"a file of {PARQUET_ROWS} rows, {most / 2**20:.0f} MiB at most", found, began)
        assert found["summary"]["rows"] == PARQUET_ROWS
        assert 0 < most < GIBIBYTE

    scan_with(engine_url, tmp_path, scenario)


def resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
