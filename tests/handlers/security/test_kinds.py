"""Audits of every other kind of source than PostgreSQL, from the request to the file that is exported."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from auditing import Auditor, audit_with, done
from mariadb_server import running_mariadb
from scanning import write_sqlite

from connectors.security.catalogue import catalogue
from handlers.security.sources import checks_for


async def registered(auditor: Auditor, kind: str, settings: dict[str, Any]) -> int:
    body = {"workspace_id": "lab", "name": kind, "kind": kind, "settings": settings}
    # Files are registered by the server's administrator.
    return int((await done(auditor.node.client("admin").post("/data-sources", json=body), 201))["id"])


async def found_fixed_and_exported(
    auditor: Auditor, source: int, kind: str, check: str, mend: Callable[[], Awaitable[Any]]
) -> None:
    """A fault that `check` must find, until `mend` puts it right."""
    first = await auditor.audit(source)
    assert (first["state"], first["error"]) == ("succeeded", None)
    posture = await auditor.posture(source)
    assert [one["check_id"] for one in posture["checks"]] == [one.id for one in checks_for(kind)]
    assert not [one for one in posture["checks"] if one["outcome"] == "error"]
    found = await auditor.finding(source, check)
    assert (found["state"], found["change"]) == ("open", "new")
    exported = await auditor.mia.get(f"/security/audit/{source}/export", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(exported.text.lstrip("\ufeff"))))
    assert {row["check"] for row in rows} == {one.id for one in checks_for(kind)}
    assert ("fail", "open") in {(row["outcome"], row["state"]) for row in rows if row["check"] == check}
    await mend()
    second = await auditor.audit(source)
    assert second["summary"]["fixed"] >= 1
    assert (await auditor.finding(source, check))["state"] == "resolved"
    sarif = await done(auditor.mia.get(f"/security/audit/{source}/export", params={"format": "sarif"}))
    [result] = [one for one in sarif["runs"][0]["results"] if one["ruleId"] == check and one["kind"] == "fail"]
    assert result["baselineState"] == "absent"


def test_mariadb(engine_url: str, tmp_path: Path) -> None:
    with running_mariadb() as server:
        server.new_database("CREATE USER ''@'10.0.0.%'")

        async def scenario(auditor: Auditor) -> None:
            at = {"host": "127.0.0.1", "port": server.port, "database": "test_1", "user": "root", "tls": "disable"}
            source = await registered(auditor, "mysql", at)
            mend = partial(server.execute_soon, "DROP USER ''@'10.0.0.%'")
            await found_fixed_and_exported(auditor, source, "mysql", "MY-ACC-001", mend)

        audit_with(engine_url, tmp_path, scenario)


def test_sqlite(sqlite_url: str, tmp_path: Path) -> None:
    path = write_sqlite(_own(tmp_path) / "shop.sqlite", "CREATE TABLE t AS SELECT 1 AS x")
    path.chmod(0o644)

    async def scenario(auditor: Auditor) -> None:
        source = await registered(auditor, "sqlite", {"path": str(path)})
        await found_fixed_and_exported(
            auditor, source, "sqlite", "SL-001", partial(asyncio.to_thread, path.chmod, 0o600)
        )

    audit_with(sqlite_url, tmp_path, scenario)


def test_duckdb(sqlite_url: str, tmp_path: Path) -> None:
    path = _own(tmp_path) / "shop.duckdb"
    duckdb.connect(str(path)).close()
    path.chmod(0o644)

    async def scenario(auditor: Auditor) -> None:
        source = await registered(auditor, "duckdb", {"path": str(path)})
        await found_fixed_and_exported(
            auditor, source, "duckdb", "SL-001", partial(asyncio.to_thread, path.chmod, 0o600)
        )

    audit_with(sqlite_url, tmp_path, scenario)


def test_a_folder_of_files(sqlite_url: str, tmp_path: Path) -> None:
    folder = _own(tmp_path)
    (folder / "kept.csv").write_text("id\n1\n", encoding="utf-8")
    formula = folder / "formula.csv"
    formula.write_text("id,text\n1,=HYPERLINK(0)\n", encoding="utf-8")

    async def scenario(auditor: Auditor) -> None:
        source = await registered(auditor, "files", {"path": str(folder)})
        await found_fixed_and_exported(auditor, source, "files", "FL-001", partial(asyncio.to_thread, formula.unlink))

    audit_with(sqlite_url, tmp_path, scenario)


def test_every_kind_has_checks_of_its_own() -> None:
    ids = [check.id for kind in ("postgresql", "mysql", "sqlite", "duckdb", "files") for check in checks_for(kind)]
    assert {"PG-VER-001", "MY-VER-001", "SL-010", "SL-009", "FL-003"} <= set(ids)
    counts = {kind: len(checks_for(kind)) - len(catalogue(kind)) for kind in ("postgresql", "mysql", "sqlite", "files")}
    assert counts == {"postgresql": 1, "mysql": 1, "sqlite": 2, "files": 1}


def _own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir(mode=0o700)
    return folder
