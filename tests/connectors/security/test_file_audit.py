"""Audits of SQLite, DuckDB and folders: each check fires on what is wrong and is quiet on what only looks like it."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
import zipfile
from pathlib import Path

import duckdb
import pytest

from connectors.datasets import Kind
from connectors.security.auditing import audit
from connectors.security.catalogue import catalogue, grant_script, open_audit
from connectors.security.check import AuditedObject, CheckResult, Outcome
from connectors.settings import SourceSettings

ROWS = 2_000
MEGABYTES = 32


def results(kind: Kind, path: Path) -> dict[str, CheckResult]:
    async def run() -> list[CheckResult]:
        async with open_audit(kind, SourceSettings(path=path)) as session:
            return await audit(session, catalogue(kind))

    return {result.check.id: result for result in asyncio.run(run())}


def outcomes(found: dict[str, CheckResult]) -> dict[str, Outcome]:
    return {check: result.outcome for check, result in found.items()}


def all_of(kind: Kind, outcome: Outcome) -> dict[str, Outcome]:
    return {check.id: outcome for check in catalogue(kind)}


def objects(result: CheckResult) -> set[AuditedObject]:
    return {violation.object for violation in result.violations}


def write(path: Path, *statements: str, wipes: bool = False) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA secure_delete = {'ON' if wipes else 'OFF'}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def folder_of(tmp_path: Path, name: str, mode: int) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    folder.chmod(mode)
    return folder


TABLES = (
    "CREATE TABLE shops (id INTEGER PRIMARY KEY)",
    "CREATE TABLE sales (id INTEGER PRIMARY KEY, shop INT REFERENCES shops(id), note TEXT)",
    "INSERT INTO shops VALUES (1)",
    f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
    " INSERT INTO sales SELECT i, 1, 'a note that takes some room ' || i FROM n",
)


def good_database(tmp_path: Path) -> Path:
    """With free pages that were wiped, an empty journal, and code that stays within the database."""
    path = folder_of(tmp_path, "kept", 0o700) / "shop.sqlite"
    write(
        path,
        *TABLES,
        "CREATE VIEW notes AS SELECT upper(note), 'load_extension' AS word FROM sales",
        "CREATE TRIGGER counted AFTER INSERT ON shops BEGIN SELECT count(*) FROM sales; END",
        "DELETE FROM sales",
        wipes=True,
    )
    path.chmod(0o640)
    path.with_name("shop.sqlite-journal").touch()
    return path


def bad_database(tmp_path: Path) -> Path:
    """All that is wrong but damage."""
    path = folder_of(tmp_path, "Public", 0o777) / "shop.sqlite"
    write(
        path,
        *TABLES,
        "INSERT INTO sales VALUES (-1, 99, NULL)",
        "CREATE VIEW reaching AS SELECT LOAD_EXTENSION ('x')",
        "DELETE FROM sales WHERE id > 10",
    )
    path.chmod(0o644)
    path.with_name("shop.sqlite-wal").write_bytes(b"left by a crash")
    return path


def test_a_good_database_passes_and_is_not_written_to(tmp_path: Path) -> None:
    path = good_database(tmp_path)
    before = path.read_bytes(), sorted(path.parent.iterdir())
    assert outcomes(results(Kind.SQLITE, path)) == all_of(Kind.SQLITE, Outcome.PASS)
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before


def shown(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every file below, with what is in it and when that was written."""
    return {
        str(path): (stat.st_ino, stat.st_mode, stat.st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        for stat in (path.lstat(),)
    }


@pytest.mark.parametrize("kind", [Kind.SQLITE, Kind.DUCKDB, Kind.FILES])
def test_nothing_is_written_to_files_of_any_kind(kind: Kind, tmp_path: Path) -> None:
    """Nor is anything left beside them, where everything is wrong."""
    database = bad_database(tmp_path)
    folder = database.parent
    # SQLite makes its -shm file beside one, as for whoever reads; see docs/security-audits.md.
    database.with_name("shop.sqlite-wal").unlink()
    engine = duckdb.connect(str(folder / "shop.duckdb"))
    engine.execute("CREATE TABLE t AS SELECT 1 AS one")
    engine.execute(f"COPY t TO '{folder / 'packed.parquet'}'")
    engine.close()
    (folder / "formula.csv").write_text("id,text\n1,=HYPERLINK(0)\n", encoding="utf-8")
    before = shown(folder)
    path = {Kind.SQLITE: database, Kind.DUCKDB: folder / "shop.duckdb", Kind.FILES: folder}[kind]
    assert Outcome.FAIL in outcomes(results(kind, path)).values()
    assert shown(folder) == before


def test_every_check_of_sqlite_fires(tmp_path: Path) -> None:
    found = results(Kind.SQLITE, bad_database(tmp_path))
    damage = found.pop("SL-004")
    assert damage.outcome is Outcome.PASS
    assert outcomes(found) | {"SL-004": Outcome.FAIL} == all_of(Kind.SQLITE, Outcome.FAIL)
    assert objects(found["SL-005"]) == {AuditedObject("table", "sales", part="shops")}
    assert objects(found["SL-006"]) == {AuditedObject("view", "reaching")}
    assert found["SL-001"].violations[0].evidence == {"mode": "0644"}


@pytest.mark.parametrize("place", [4096, 100], ids=["a page of a table", "the page of the schema"])
def test_damage_is_found_however_bad_it_is(tmp_path: Path, place: int) -> None:
    path = good_database(tmp_path)
    write(path, "INSERT INTO sales VALUES (1, 1, 'x')")
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 64)
    assert results(Kind.SQLITE, path)["SL-004"].outcome is Outcome.FAIL


def test_duckdb_is_looked_at_while_its_owner_has_it_open(tmp_path: Path) -> None:
    path = folder_of(tmp_path, "own", 0o700) / "shop.duckdb"
    owner = duckdb.connect(str(path))
    try:
        path.chmod(0o600)
        assert outcomes(results(Kind.DUCKDB, path)) == all_of(Kind.DUCKDB, Outcome.PASS)
    finally:
        owner.close()
    path.with_name("shop.duckdb.wal").write_bytes(b"left")
    path.chmod(0o666)
    moved = path.parent.rename(tmp_path / "static")
    moved.chmod(0o777)
    assert outcomes(results(Kind.DUCKDB, moved / "shop.duckdb")) == all_of(Kind.DUCKDB, Outcome.FAIL)


def test_a_good_folder_passes(tmp_path: Path) -> None:
    """With negative numbers, telephone numbers, mail addresses, and words that begin as keys do."""
    folder = folder_of(tmp_path, "kept", 0o700)
    (folder / "sales.csv").write_text(
        "id,amount,phone,mail,note\n1,-5.20,+49 30 1234-5,a@b.example,AKIA is no key\n2,-1e-5,-,x,a=b\n",
        encoding="utf-8",
    )
    (folder / "more.csv.gz").write_bytes(gzip.compress(b"id\n" + b"".join(b"%d\n" % number for number in range(5_000))))
    (folder / "inside.csv").symlink_to(folder / "sales.csv")
    for path in folder.iterdir():
        path.chmod(0o600)
    assert outcomes(results(Kind.FILES, folder)) == all_of(Kind.FILES, Outcome.PASS)


def test_every_check_of_folders_fires(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "htdocs", 0o777)
    secret = tmp_path / "secret.csv"
    secret.write_text("id\n1\n", encoding="utf-8")
    (folder / "formula.csv").write_text("id;text\n1;=HYPERLINK(0)\n2;-2+3+cmd|' /C calc'!A0\n", encoding="utf-8")
    (folder / "keys.json").write_text(
        '{"aws": "AKIA' + "ABCDEFGHIJKLMNOP" + '", "pem": "-----BEGIN ' + 'RSA PRIVATE KEY-----"}', encoding="utf-8"
    )
    (folder / "bomb.csv.gz").write_bytes(gzip.compress(b"0" * (MEGABYTES << 20)))
    with zipfile.ZipFile(folder / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", b"0" * (MEGABYTES << 20))
    (folder / "outside.csv").symlink_to(secret)
    found = results(Kind.FILES, folder)
    assert outcomes(found) == all_of(Kind.FILES, Outcome.FAIL)
    assert found["FL-001"].violations[0].evidence == {"rows": 2, "first_row": 2}
    assert objects(found["FL-002"]) == {
        AuditedObject("file", "keys.json", part="AWS access key"),
        AuditedObject("file", "keys.json", part="private key"),
    }
    assert objects(found["FL-004"]) == {
        AuditedObject("file", "bomb.csv.gz"),
        AuditedObject("file", "bomb.xlsx"),
        AuditedObject("link", "outside.csv"),
    }
    assert "AKIAABCD" not in str(found)


def test_what_was_not_read_is_not_said_to_be_well(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "kept", 0o700)
    (folder / "large.csv").write_text("id\n" + "12345678\n" * 200_000, encoding="utf-8")
    found = outcomes(results(Kind.FILES, folder))
    assert found["FL-001"] is found["FL-002"] is Outcome.NOT_EVALUATED
    (folder / "large.csv").unlink()
    with duckdb.connect() as engine:
        engine.execute(f"COPY (SELECT 1 AS one) TO '{folder / 'packed.parquet'}'")
    found = outcomes(results(Kind.FILES, folder))
    assert (found["FL-001"], found["FL-002"]) == (Outcome.PASS, Outcome.NOT_EVALUATED)


def test_nothing_has_to_be_granted_for_files() -> None:
    for kind in (Kind.SQLITE, Kind.DUCKDB, Kind.FILES):
        assert grant_script(kind, "anybody").startswith("-- Nothing has to be granted")
