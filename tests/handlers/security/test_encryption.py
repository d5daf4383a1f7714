"""Sensitive data in files that are not encrypted: found where scans found it, and never said to be none unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from auditing import Auditor, audit_with, done
from scanning import CARDS, Scanner, write_sqlite

PEOPLE = f"SELECT unnest({list(CARDS)}) AS card_number, unnest(range({len(CARDS)})) AS id"


async def outcome(auditor: Auditor, source: int, check: str) -> dict[str, Any]:
    scan = await auditor.audit(source, checks=[check])
    assert scan["state"] == "succeeded", scan
    [found] = (await done(auditor.mia.get(f"/security/scans/{scan['id']}/results")))["items"]
    return dict(found)


def test_a_database_with_sensitive_columns(engine_url: str, tmp_path: Path) -> None:
    path = write_sqlite(
        tmp_path / "shop.sqlite",
        "CREATE TABLE parts AS SELECT 1 AS weight",
        "CREATE TABLE people (card_number TEXT, city TEXT)",
        *(f"INSERT INTO people VALUES ('{card}', 'Berlin')" for card in CARDS * 20),
    )

    async def scenario(auditor: Auditor) -> None:
        scanner = Scanner(auditor.node, auditor.ada)
        source = await scanner.source("shop", "sqlite", path=str(path))
        unseen = await outcome(auditor, source, "SL-009")
        assert unseen["outcome"] == "not_evaluated"
        assert unseen["reason"] == "No scan has looked for sensitive data in all of 1 of 1 files."
        await scanner.scan(source, datasets=["parts"])
        assert (await outcome(auditor, source, "SL-009"))["outcome"] != "fail"
        await scanner.scan(source)
        found = await outcome(auditor, source, "SL-009")
        assert found["outcome"] == "fail"
        [violation] = found["violations"]
        assert (violation["object"], violation["evidence"]) == (
            "file shop.sqlite",
            {"columns": 1, "types": "credit_card"},
        )
        assert not [card for card in CARDS if card in str(await auditor.posture(source))]
        write_sqlite(path, "DROP TABLE people")
        await scanner.scan(source)
        assert (await outcome(auditor, source, "SL-009"))["outcome"] == "pass"

    audit_with(engine_url, tmp_path, scenario)


def test_parquet_files_by_what_their_last_bytes_say(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir(mode=0o700)

    async def scenario(auditor: Auditor) -> None:
        scanner = Scanner(auditor.node, auditor.ada)
        source = await scanner.source("files", "files", path=str(folder))
        (folder / "plain.csv").write_text("id\n1\n", encoding="utf-8")
        assert (await outcome(auditor, source, "FL-003"))["outcome"] == "not_applicable"
        with duckdb.connect() as engine:
            engine.execute(f"COPY (SELECT 1 AS weight) TO '{folder / 'parts.parquet'}'")
            engine.execute("PRAGMA add_parquet_key('key', '0123456789abcdef')")
            engine.execute("SET force_mbedtls_unsafe = 'true'")
            encrypted = f"COPY ({PEOPLE}) TO '{folder / 'locked.parquet'}' (ENCRYPTION_CONFIG {{footer_key: 'key'}})"
            engine.execute(encrypted)
            assert (await outcome(auditor, source, "FL-003"))["outcome"] == "not_evaluated"
            await scanner.scan(source)
            # Nobody without the key reads the one that is encrypted; what is in it was not looked at, nor has to be.
            assert (await outcome(auditor, source, "FL-003"))["outcome"] == "pass"
            engine.execute(f"COPY ({PEOPLE}) TO '{folder / 'people.parquet'}'")
        await scanner.scan(source)
        found = await outcome(auditor, source, "FL-003")
        assert found["outcome"] == "fail"
        assert [one["object"] for one in found["violations"]] == ["file people.parquet"]

    audit_with(sqlite_url, tmp_path, scenario)
