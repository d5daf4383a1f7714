"""What goes wrong with a source, and that it ends where it belongs: on one dataset, or clearly on the whole scan."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from postgres_server import PostgresServer
from scanning import Scanner, scan_with, write_sqlite

from storage import scans

ONLY_PROFILE: dict[str, Any] = {"parts": ["profile"]}


def address(server: PostgresServer, **more: Any) -> dict[str, Any]:
    there = {"host": "127.0.0.1", "port": server.port, "database": server.database, "user": "postgres"}
    return {**there, **more}


async def until_there(server: PostgresServer, holds: Callable[[list[Any]], bool]) -> None:
    """Returns once it holds of the statements that the source executes for scans."""
    active = "SELECT query FROM pg_stat_activity WHERE application_name = 'collab-studio' AND state = 'active'"
    async with asyncio.timeout(30):
        while not holds(await server.execute_soon(active)):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)


@contextmanager
def asking_reader_for_a_password(server: PostgresServer) -> Iterator[None]:
    [rules] = server.execute("SHOW hba_file")
    before = Path(rules).read_text()
    Path(rules).write_text(f"host all reader 127.0.0.1/32 scram-sha-256\n{before}")
    try:
        yield
    finally:
        Path(rules).write_text(before)


def test_a_cancelled_scan_stops_the_statement_at_the_source(
    engine_url: str, tmp_path: Path, source_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon("CREATE VIEW slow AS SELECT pg_sleep(30)::text FROM generate_series(1, 9)")
        source = await scanner.source("pg", "postgresql", **address(source_server))
        scan = await scanner.begin(source, **ONLY_PROFILE)
        await until_there(source_server, lambda queries: any("slow" in query for query in queries))
        began = time.monotonic()
        ended = (await scanner.ada.post(f"/scans/{scan}/cancel", json={})).json()
        await until_there(source_server, lambda queries: not queries)
        seconds = time.monotonic() - began
        print(f"stopped after {seconds:.2f} s")
        assert seconds < 1.0
        assert (ended["state"], ended["summary"]["skipped"]) == ("cancelled", 1)
        assert (await scanner.look(scan))["state"] == "cancelled"
        again = await scanner.begin(source, **ONLY_PROFILE, datasets=["public.*"])
        await scanner.ada.post(f"/scans/{again}/cancel", json={})

    scan_with(engine_url, tmp_path, scenario)


def test_a_run_that_is_cancelled_ends_its_scan(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = write_sqlite(tmp_path / "s.sqlite3", "CREATE TABLE t AS SELECT 1 AS x")
        source = await scanner.source("s", "sqlite", path=str(path))
        scan = await scanner.begin(source, **ONLY_PROFILE, pause_ms=60_000)
        run = (await scanner.look(scan))["run_id"]
        await scanner.ada.post(f"/runs/{run}/cancel", json={})
        assert (await scanner.look(scan))["state"] == "cancelled"
        assert (await scanner.scan(source, **ONLY_PROFILE))["state"] == "succeeded"
        assert (await scanner.look(scan))["finished_at"] is not None
        assert [event["type"] for event in await scanner.events(scan)][-1] == "scan.cancelled"

    scan_with(engine_url, tmp_path, scenario)


def test_a_wrong_password_fails_the_scan_and_says_so(
    engine_url: str, tmp_path: Path, source_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 'right'")
        await source_server.execute_soon("SELECT pg_reload_conf()")
        source = await scanner.source("pg", "postgresql", "wrong", **address(source_server, user="reader"))
        scan = await scanner.scan(source)
        assert (scan["state"], scan["error"]["code"]) == ("failed", "login_refused")
        assert "'reader'" in scan["error"]["message"]
        assert "wrong" not in scan["error"]["message"]
        assert [event["type"] for event in await scanner.events(scan["id"])] == ["scan.failed"]
        run = await scanner.run_when_over(scan["run_id"])
        assert run["error"]["code"] == "login_refused"

    with asking_reader_for_a_password(source_server):
        scan_with(engine_url, tmp_path, scenario)


def test_a_table_that_is_dropped_meanwhile_and_a_slow_view_fail_alone(
    engine_url: str, tmp_path: Path, source_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon(
            *(f"CREATE TABLE {name} AS SELECT 1 AS x" for name in ("a", "b", "d")),
            "CREATE VIEW c AS SELECT pg_sleep(60)::text",
            "CREATE VIEW e AS SELECT 1 AS x",
            "CREATE VIEW f AS SELECT x FROM e",
            "CREATE OR REPLACE VIEW e AS SELECT x FROM f",
        )
        source = await scanner.source("pg", "postgresql", **address(source_server, statement_seconds=1))
        scan = await scanner.begin(source, **ONLY_PROFILE, pause_ms=500)
        await scanner.when(scan, lambda found: found["datasets"].get("succeeded", 0) > 0)
        await source_server.execute_soon("DROP TABLE d")
        ended = await scanner.when(scan, lambda found: found["finished_at"] is not None)
        assert (ended["state"], ended["summary"]["succeeded"], ended["summary"]["failed"]) == ("succeeded", 2, 4)
        outcomes = await scanner.outcomes(scan)
        codes = {name: outcome["error"]["code"] for name, outcome in outcomes.items() if outcome["error"]}
        assert codes == {
            "public.c": "statement_timeout",
            "public.d": "dataset_not_found",
            "public.e": "statement_failed",
            "public.f": "statement_failed",
        }
        assert "recursion" in outcomes["public.e"]["error"]["message"]

    scan_with(engine_url, tmp_path, scenario)


def test_a_server_that_is_gone_fails_what_is_left_at_once(
    engine_url: str, tmp_path: Path, source_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon(*(f"CREATE TABLE t{number} AS SELECT 1 AS x" for number in range(20)))
        source = await scanner.source("pg", "postgresql", **address(source_server))
        scan = await scanner.begin(source, **ONLY_PROFILE, pause_ms=200)
        await scanner.when(scan, lambda found: found["datasets"].get("succeeded", 0) > 0)
        await asyncio.to_thread(source_server.kill)
        ended = await scanner.when(scan, lambda found: found["finished_at"] is not None)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "connection_refused")
        assert ended["summary"]["failed"] == 1
        assert ended["summary"]["skipped"] > 10

    scan_with(engine_url, tmp_path, scenario)


def test_a_file_that_is_not_what_it_says_fails_alone(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        folder = tmp_path / "files"
        folder.mkdir()
        (folder / "good.csv").write_text("a,b\n1,2\n")
        (folder / "picture.parquet").write_bytes(b"\x89PNG\r\n" + bytes(1000))
        (folder / "cut.jsonl").write_text('{"a": 1}\n{"a": ')
        (folder / "latin.csv").write_bytes("näme\nÄ\n".encode("latin-1"))
        source = await scanner.source("folder", "files", path=str(folder))
        scan = await scanner.scan(source)
        assert (scan["state"], scan["summary"]["succeeded"], scan["summary"]["failed"]) == ("succeeded", 1, 3)
        for name, outcome in (await scanner.outcomes(scan["id"])).items():
            if name != "good.csv":
                assert outcome["error"]["code"] == "wrong_format", name
                assert name in outcome["error"]["message"]

    scan_with(engine_url, tmp_path, scenario)


def test_many_different_documents_are_profiled_within_bounds(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        folder = tmp_path / "files"
        folder.mkdir()
        with (folder / "blobs.jsonl").open("w") as file:
            file.writelines(
                f'{{"id": {key}, "blob": {{"key": {key}, "tags": ["a", "{key * 7}"]}}}}\n' for key in range(50_000)
            )
        source = await scanner.source("folder", "files", path=str(folder))
        scan = await scanner.scan(source)
        assert scan["summary"] | {"succeeded": 1, "rows": 50_000} == scan["summary"]
        [blob] = await scanner.results(scan["id"], column="blob", kind="profile")
        assert blob["body"]["rows"] == 50_000

    scan_with(engine_url, tmp_path, scenario)


def test_a_reader_that_dies_fails_its_dataset_alone(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = write_sqlite(
            tmp_path / "s.sqlite3", *(f"CREATE TABLE t{number} AS SELECT 1 AS x" for number in range(3))
        )
        source = await scanner.source("s", "sqlite", path=str(path))
        scan = await scanner.begin(source, **ONLY_PROFILE, pause_ms=1_000)
        await scanner.when(scan, lambda found: found["datasets"].get("running", 0) > 0)
        async with scanner.node.parts.database.read() as connection:
            running = (await scans.counts(connection, [scan]))[scan]
        assert running["running"] == 1
        [pid] = scanner.node.parts.readers.pids
        psutil.Process(pid).kill()
        ended = await scanner.when(scan, lambda found: found["finished_at"] is not None)
        assert (ended["state"], ended["summary"]["failed"], ended["summary"]["succeeded"]) == ("succeeded", 1, 2)
        codes = [one["error"]["code"] for one in (await scanner.outcomes(scan)).values() if one["error"]]
        assert codes == ["reader_lost"]

    scan_with(engine_url, tmp_path, scenario)
