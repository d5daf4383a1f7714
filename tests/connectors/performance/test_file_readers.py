"""What can be told of SQLite databases, of folders of files, and of DuckDB databases."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from connectors.datasets import Kind
from connectors.errors import ConnectorError, PathForbidden, PathNotFound, WrongFormat
from connectors.performance.figures import AdviceKind, Level, PerformanceReader, Unsupported
from connectors.performance.opening import open_reader
from connectors.settings import SourceSettings


def asked(
    kind: Kind, settings: SourceSettings, *questions: Callable[[PerformanceReader], Awaitable[object]]
) -> list[object]:
    async def run() -> list[object]:
        reader = open_reader(kind, settings)
        try:
            return [await question(reader) for question in questions]
        finally:
            await reader.aclose()

    return asyncio.run(run())


def figures(kind: Kind, settings: SourceSettings) -> dict[str, float]:
    """The figures of all levels by metric and labels."""

    async def all_levels(reader: PerformanceReader) -> object:
        visits = [await reader.visit(level) for level in Level]
        assert len({visit.server for visit in visits}) == 1
        found = [figure for visit in visits for group in visit.groups for figure in group.figures]
        return {" ".join((each.metric, *(value for _, value in each.labels))): each.value for each in found}

    [found] = asked(kind, settings, all_levels)
    assert isinstance(found, dict)
    return found


def test_an_sqlite_database_by_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "shop #1.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE sold (id INTEGER PRIMARY KEY, what BLOB)")
        connection.executemany("INSERT INTO sold (what) VALUES (?)", [(bytes(4000),)] * 50)
        connection.commit()
        wal = path.with_name(path.name + "-wal").stat().st_size
        connection.execute("DELETE FROM sold WHERE id > 10")
        connection.commit()
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        found = figures(Kind.SQLITE, SourceSettings(path=path))
    assert wal > 0
    assert found["sqlite.database.size"] == pages * size
    assert found["sqlite.pages"] == pages
    assert found["sqlite.pages.free"] == free > 30
    assert found["sqlite.wal.size"] >= wal
    assert found["sqlite.check.ok"] == 1
    assert found["sqlite.schema.objects table"] == 1
    assert 0 <= found["sqlite.modified.age"] < 60
    assert 0 < found["sqlite.probe.seconds"] < 5


def test_a_damaged_sqlite_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sold (id INTEGER PRIMARY KEY, what BLOB)")
        connection.executemany("INSERT INTO sold (what) VALUES (?)", [(bytes(4000),)] * 50)
        connection.commit()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 64)
    assert figures(Kind.SQLITE, SourceSettings(path=path))["sqlite.check.ok"] == 0
    path.write_bytes(b"no database at all, and longer than a header is" * 100)
    with pytest.raises(WrongFormat):
        figures(Kind.SQLITE, SourceSettings(path=path))


def test_indexes_of_an_sqlite_database(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE shop (id INTEGER PRIMARY KEY);
            CREATE TABLE sold (id INTEGER PRIMARY KEY, shop INTEGER REFERENCES shop, seller INTEGER REFERENCES shop,
              amount REAL);
            CREATE INDEX by_shop ON sold (shop);
            CREATE INDEX by_shop_again ON sold (shop);
            CREATE INDEX by_both ON sold (shop, amount);
            CREATE INDEX backwards ON sold (shop DESC);
            CREATE INDEX some ON sold (shop) WHERE amount > 0;
        """)

    async def advice(reader: PerformanceReader) -> object:
        return await reader.index_advice()

    [found] = asked(Kind.SQLITE, SourceSettings(path=path), advice)
    by_index = {each.index: each for each in found.advices}  # type: ignore[attr-defined]
    assert {index: each.kind for index, each in by_index.items()} == {
        "by_shop": AdviceKind.REDUNDANT,
        "by_shop_again": AdviceKind.DUPLICATE,
        None: AdviceKind.MISSING,
    }
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for each in by_index.values():
            connection.execute(each.sql)
    [found] = asked(Kind.SQLITE, SourceSettings(path=path), advice)
    assert list(found.advices) == []  # type: ignore[attr-defined]


def test_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "old.csv").write_text("a,b\n1,2\n")
    (tmp_path / "new" / "more.csv").write_text("a,b\n" + "1,2\n" * 100)
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "notes.txt.bak").write_text("no data")
    for path in tmp_path.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    os.utime(tmp_path / "new" / "more.csv")
    found = figures(Kind.FILES, SourceSettings(path=tmp_path))
    assert found["files.count CSV"] == 2
    assert found["files.size CSV"] == 8 + 404
    assert found["files.file.size new/more.csv"] == 404
    assert found["files.file.size other"] == 0
    assert 0 <= found["files.modified.age"] < 60
    empty = tmp_path / "empty"
    empty.mkdir()
    assert figures(Kind.FILES, SourceSettings(path=empty))["files.count none"] == 0


def test_a_duckdb_database_is_looked_at_while_its_owner_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    path.write_bytes(bytes(12288))
    found = figures(Kind.DUCKDB, SourceSettings(path=path))
    assert found["files.size duckdb"] == 12288
    assert found["files.wal.size"] == 0
    assert found["files.probe.seconds"] > 0


def test_what_nobody_counts_is_told_and_is_no_zero(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    sqlite3.connect(path).close()
    for kind, place in ((Kind.SQLITE, path), (Kind.FILES, tmp_path)):
        statements, plan, texts, blocking = asked(
            kind,
            SourceSettings(path=place),
            lambda reader: reader.statements(),
            lambda reader: reader.plan("1"),
            lambda reader: reader.statement_texts(["1"]),
            lambda reader: reader.blocking(),
        )
        assert isinstance(statements, Unsupported)
        assert isinstance(plan, Unsupported)
        assert statements.reason.endswith(".")
        assert texts == {}
        assert [each.what for each in blocking.unsupported] == ["blocking"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Kind.SQLITE, Kind.FILES, Kind.DUCKDB])
def test_files_outside_of_the_roots_are_not_looked_at(tmp_path: Path, kind: Kind) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.sqlite3"
    inside.mkdir()
    sqlite3.connect(outside).close()
    (inside / "link").symlink_to(outside)
    wrong: list[tuple[Path, type[ConnectorError]]] = [
        (outside, PathForbidden), (inside / "link", PathForbidden), (inside / "none", PathNotFound),
    ]  # fmt: skip
    for path, error in wrong:
        with pytest.raises(error):
            figures(kind, SourceSettings(path=path, roots=(inside,)))
