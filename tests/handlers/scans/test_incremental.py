"""Incremental scans: only what changed, by the method that they name."""

from pathlib import Path
from typing import Any

from postgres_server import PostgresServer
from scanning import Scanner, scan_with, shop, write_sqlite

AGAIN: dict[str, Any] = {"mode": "incremental", "parts": ["profile", "classification"]}


def write_csv(path: Path, rows: int, first: int = 0) -> None:
    path.write_text("id,name\n" + "".join(f"{key},name {key}\n" for key in range(first, first + rows)))


def states(outcomes: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {name: (outcome["state"], outcome["change"]["method"]) for name, outcome in outcomes.items()}


def test_of_a_folder_only_the_file_that_changed_is_read(database_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        folder = tmp_path / "files"
        folder.mkdir()
        for name in ("a.csv", "b.csv"):
            write_csv(folder / name, 100)
        source = await scanner.source("folder", "files", path=str(folder))
        first = await scanner.scan(source, **AGAIN)
        assert states(await scanner.outcomes(first["id"])) == {
            "a.csv": ("succeeded", "file"),
            "b.csv": ("succeeded", "file"),
        }
        write_csv(folder / "b.csv", 101)
        second = await scanner.scan(source, **AGAIN)
        outcomes = await scanner.outcomes(second["id"])
        assert states(outcomes) == {"a.csv": ("unchanged", "file"), "b.csv": ("succeeded", "file")}
        assert outcomes["a.csv"]["results_in"] == first["id"]
        assert outcomes["a.csv"]["said"] == f"Unchanged since scan {first['id']}, told by file; nothing was read."
        assert (outcomes["b.csv"]["rows"], outcomes["b.csv"]["change"]["compared_with"]) == (101, first["id"])
        assert (second["summary"]["unchanged"], second["summary"]["rows"]) == (1, 101)
        assert [one["kind"] for one in await scanner.results(second["id"], dataset="a.csv")] == ["dataset"]
        third = await scanner.scan(source, **AGAIN)
        assert (third["summary"]["unchanged"], third["summary"]["rows"]) == (2, 0)
        assert (await scanner.outcomes(third["id"]))["b.csv"]["results_in"] == second["id"]
        full = await scanner.scan(source, parts=AGAIN["parts"])
        assert full["summary"]["succeeded"] == 2

    scan_with(database_url, tmp_path, scenario)


def test_what_was_not_looked_for_then_is_not_unchanged(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        source = await scanner.source("shop", "sqlite", path=str(shop(tmp_path)))
        await scanner.scan(source, parts=["classification"])
        more = await scanner.scan(source, mode="incremental", parts=["profile", "classification", "quality"])
        assert more["summary"]["succeeded"] == 3
        same = await scanner.scan(source, mode="incremental", parts=["quality", "classification", "profile"])
        assert same["summary"]["unchanged"] == 3
        rule = {"name": "ids", "condition": {"kind": "completeness", "column": "id"}}
        await scanner.ada.post("/scan-rules", json={"source_id": source, "dataset": "orders", "rule": rule})
        ruled = await scanner.scan(source, mode="incremental", parts=["quality", "classification", "profile"])
        assert (ruled["summary"]["succeeded"], ruled["summary"]["unchanged"]) == (1, 2)

    scan_with(engine_url, tmp_path, scenario)


def test_beyond_a_watermark_only_new_rows_are_read(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = shop(tmp_path, orders=500)
        options = {**AGAIN, "datasets": ["orders"], "watermarks": {"ord*": "id"}}
        source = await scanner.source("shop", "sqlite", path=str(path))
        first = await scanner.scan(source, **options)
        assert first["summary"]["methods"] == {"watermark": 1}
        write_sqlite(path, "INSERT INTO orders VALUES (501, 1, 7.5, '2024-02-01'), (502, 1, 8.5, '2024-02-02')")
        second = await scanner.scan(source, **options)
        outcome = (await scanner.outcomes(second["id"]))["orders"]
        assert (outcome["rows"], outcome["after"], outcome["is_exact"]) == (2, "500", False)
        assert "deleted" in outcome["change"]["blind_to"]
        assert outcome["said"] == f"2 rows came since scan {first['id']}, told by watermark; only they were read."
        [amount] = await scanner.results(second["id"], column="amount", kind="profile")
        assert amount["body"]["numbers"]["min"] == 7.5
        third = await scanner.scan(source, **options)
        assert third["summary"]["unchanged"] == 1

    scan_with(engine_url, tmp_path, scenario)


def test_a_watermark_on_a_sensitive_column_shows_its_shape(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        path = tmp_path / "people.sqlite3"
        people = ", ".join(f"('{n:03}@example.org')" for n in range(300))
        write_sqlite(path, "CREATE TABLE people (k TEXT)", f"INSERT INTO people VALUES {people}")
        options: dict[str, Any] = {"mode": "incremental", "parts": ["profile"], "watermarks": {"people": "k"}}
        source = await scanner.source("people", "sqlite", path=str(path))
        await scanner.scan(source, **options)
        # One row that alone would not tell what the column holds.
        write_sqlite(path, "INSERT INTO people VALUES ('zzz')")
        second = await scanner.scan(source, **options)
        outcome = (await scanner.outcomes(second["id"]))["people"]
        assert (outcome["rows"], outcome["after"]) == (1, "999@xxxxxxx.xxx")
        unchanged = await scanner.scan(source, **options)
        assert unchanged["summary"]["unchanged"] == 1
        write_sqlite(path, "INSERT INTO people VALUES ('zzzz')")
        fourth = await scanner.scan(source, **options)
        outcome = (await scanner.outcomes(fourth["id"]))["people"]
        assert (outcome["rows"], outcome["after"]) == (1, "xxx")

    scan_with(engine_url, tmp_path, scenario)


def test_postgresql_tells_by_its_counters_and_views_by_their_rows(
    engine_url: str, tmp_path: Path, source_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon(
            "CREATE TABLE a (id int PRIMARY KEY, name text)",
            "CREATE TABLE b (id int PRIMARY KEY)",
            "INSERT INTO a SELECT i, 'n' || i FROM generate_series(1, 50) i",
            "CREATE VIEW v AS SELECT * FROM a",
            "SELECT pg_stat_force_next_flush()",
        )
        source = await scanner.source("pg", "postgresql", **settings_of(source_server))
        options = {**AGAIN, "count_rows": True}
        first = await scanner.scan(source, **options)
        assert first["summary"]["methods"] == {"statistics": 2, "row_count": 1}
        assert (await scanner.scan(source, **options))["summary"]["unchanged"] == 3
        await source_server.execute_soon("UPDATE a SET name = 'x' WHERE id = 1", "SELECT pg_stat_force_next_flush()")
        third = await scanner.scan(source, **options)
        assert states(await scanner.outcomes(third["id"])) == {
            "public.a": ("succeeded", "statistics"),
            "public.b": ("unchanged", "statistics"),
            "public.v": ("unchanged", "row_count"),
        }
        # Without asking for row counts, a view is always taken for changed.
        await scanner.scan(source, **AGAIN)
        plain = await scanner.scan(source, **AGAIN)
        assert states(await scanner.outcomes(plain["id"]))["public.v"] == ("succeeded", "none")

    scan_with(engine_url, tmp_path, scenario)


def test_a_table_with_other_columns_is_read_in_full_whatever_its_counters_and_watermarks_say(
    engine_url: str, tmp_path: Path, source_server: PostgresServer
) -> None:
    async def scenario(scanner: Scanner) -> None:
        await source_server.execute_soon(
            "CREATE TABLE a (id int PRIMARY KEY)",
            "CREATE TABLE b (id int PRIMARY KEY)",
            "INSERT INTO a SELECT i FROM generate_series(1, 50) i",
            "INSERT INTO b SELECT i FROM generate_series(1, 50) i",
            "SELECT pg_stat_force_next_flush()",
        )
        source = await scanner.source("pg", "postgresql", **settings_of(source_server))
        options = {**AGAIN, "watermarks": {"public.b": "id"}}
        first = await scanner.scan(source, **options)
        assert (await scanner.scan(source, **options))["summary"]["unchanged"] == 2
        # No row is written for it: the value is kept once, with the column.
        await source_server.execute_soon(
            "ALTER TABLE a ADD COLUMN mail text DEFAULT 'ada@example.com'",
            "ALTER TABLE b ADD COLUMN mail text DEFAULT 'ada@example.com'",
        )
        third = await scanner.scan(source, **options)
        outcomes = await scanner.outcomes(third["id"])
        assert {name: (one["state"], one["rows"]) for name, one in outcomes.items()} == {
            "public.a": ("succeeded", 50),
            "public.b": ("succeeded", 50),
        }
        said = f"Changed since scan {first['id']}, told by its columns; all 50 rows were read."
        assert [one["said"] for one in outcomes.values()] == [said, said]
        assert third["summary"]["sensitive_columns"] == 2
        assert (await scanner.scan(source, **options))["summary"]["unchanged"] == 2

    scan_with(engine_url, tmp_path, scenario)


def settings_of(server: PostgresServer) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": server.port, "database": server.database, "user": "postgres"}


def test_a_file_that_is_gone_and_came_back_is_compared_with_what_it_was(engine_url: str, tmp_path: Path) -> None:
    async def scenario(scanner: Scanner) -> None:
        folder = tmp_path / "files"
        folder.mkdir()
        write_csv(folder / "a.csv", 10)
        write_csv(folder / "b.csv", 10)
        source = await scanner.source("folder", "files", path=str(folder))
        await scanner.scan(source, **AGAIN)
        (folder / "b.csv").rename(tmp_path / "b.csv")
        assert (await scanner.scan(source, **AGAIN))["summary"]["datasets"] == 1
        (tmp_path / "b.csv").rename(folder / "b.csv")
        assert (await scanner.scan(source, **AGAIN))["summary"]["datasets"] == 2

    scan_with(engine_url, tmp_path, scenario)
