"""A large workspace, as discovery and scans would have left it: sources, datasets, columns, two scans each, lineage."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backup_tables import backups
from storage.catalog_tables import catalog_columns, catalog_datasets, catalog_labels, catalog_sources, lineage_edges
from storage.database import Database
from storage.governance_tables import data_sources
from storage.scan_tables import scan_datasets, scan_results, scans
from storage.tables import document_texts, documents, workspaces

SOURCES, COLUMNS, SCANS, SEED = 10, 10, 2, 7
WORKSPACE = "large"
PARTS = json.dumps({"parts": ["profile", "classification", "quality"]})
_AT_ONCE = 2_000
_NOW = datetime.now(UTC)


async def fill(database: Database, datasets: int, edges: int) -> None:
    """Stores it, with so many datasets and edges. PostgreSQL is kept from looking at its statistics meanwhile."""
    chance = random.Random(SEED)
    async with database.write() as connection:
        if not database.is_sqlite:
            await _without_statistics(connection)
        await _put(connection, workspaces, [_workspace()])
        await _put(connection, data_sources, map(_source, range(1, SOURCES + 1)))
        await _put(connection, catalog_sources, [{"source_id": n, "discovered_at": _NOW} for n in _sources()])
        await _put(connection, catalog_datasets, (_dataset(n) for n in range(1, datasets + 1)))
        await _put(connection, catalog_columns, (_column(n, m) for n in range(1, datasets + 1) for m in range(COLUMNS)))
        await _put(connection, catalog_labels, (_owner(n) for n in range(1, datasets + 1, 2)))
        await _put(connection, documents, (_document(n) for n in range(1, datasets + 1, 4)))
        await _put(connection, document_texts, (_text(n) for n in range(1, datasets + 1, 4)))
        await _put(connection, backups, map(_backup, _sources()))
        for scan_id in range(1, SOURCES * SCANS + 1):
            await _scan(connection, scan_id, datasets // SOURCES)
        await _put(connection, lineage_edges, (_edge(chance, datasets) for _ in range(edges)))


def _sources() -> range:
    return range(1, SOURCES + 1)


async def _without_statistics(connection: AsyncConnection) -> None:
    names = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))
    for name in names.scalars().all():
        await connection.execute(text(f'ALTER TABLE "{name}" SET (autovacuum_enabled = false)'))


async def _put(connection: AsyncConnection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    for part in _portions(iter(rows)):
        await connection.execute(table.insert(), part)


def _portions(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while part := list(islice(rows, _AT_ONCE)):
        yield part


def _workspace() -> dict[str, Any]:
    return {"id": WORKSPACE, "title": "Large", "created_by": "ada", "created_at": _NOW - timedelta(days=90)}


def _source(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "workspace_id": WORKSPACE,
        "name": f"source-{number}",
        "kind": "postgresql",
        "settings": "{}",
        "owner": "ada",
        "created_at": _NOW,
        "updated_at": _NOW,
    }


def _dataset(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "workspace_id": WORKSPACE,
        "source_id": (number - 1) % SOURCES + 1,
        "schema": "public",
        "name": f"table_{number}",
        "kind": "table",
        "estimated_rows": 1_000,
        "comment": "What it is" if number % 3 else None,
        "keys": "[]",
        "lineage_problems": "[]",
        "first_seen_at": _NOW,
        "last_seen_at": _NOW,
        "changed_at": _NOW,
        "description_number": 0,
    }


def _column(dataset: int, place: int) -> dict[str, Any]:
    return {
        "dataset_id": dataset,
        "name": f"column_{place}",
        "ordinal": place,
        "native_type": "text",
        "logical_type": "text",
        "nullable": True,
        "comment": None,
        "sensitivity": "personal" if place == 0 and dataset % 2 else None,
    }


def _owner(dataset: int) -> dict[str, Any]:
    return {"dataset_id": dataset, "column_name": "", "kind": "owner", "value": "ada"}


def _document(dataset: int) -> dict[str, Any]:
    return {
        "id": dataset,
        "workspace_id": WORKSPACE,
        "name": f"catalog-{dataset}",
        "title": f"Table {dataset}",
        "kind": "text",
        "root": "text",
        "created_by": "ada",
        "created_at": _NOW,
        "updated_at": _NOW,
        "updated_by": "ada",
    }


def _text(dataset: int) -> dict[str, Any]:
    return {"document_id": dataset, "workspace_id": WORKSPACE, "number": 1, "title": "", "text": "What it is"}


def _backup(source: int) -> dict[str, Any]:
    return {
        "workspace_id": WORKSPACE,
        "source_id": source,
        "run_id": f"backup-{source}",
        "state": "succeeded",
        "verified_at": _NOW,
        "verification": json.dumps({"ok": True}),
        "created_by": "ada",
        "created_at": _NOW,
        "finished_at": _NOW,
    }


async def _scan(connection: AsyncConnection, scan_id: int, datasets: int) -> None:
    at = _NOW - timedelta(days=20 - scan_id)
    source = (scan_id - 1) % SOURCES + 1
    row = {
        "id": scan_id,
        "workspace_id": WORKSPACE,
        "source_id": source,
        "run_id": f"scan-{scan_id}",
        "mode": "full",
        "options": PARTS,
        "state": "succeeded",
        "summary": json.dumps({"sensitive_columns": 2 * datasets}),
        "created_by": "ada",
        "created_at": at,
        "started_at": at,
        "finished_at": at,
    }
    await _put(connection, scans, [row])
    await _put(connection, scan_datasets, (_read(scan_id, source, n) for n in range(datasets)))
    await _put(connection, scan_results, (found for n in range(datasets) for found in _results(scan_id, n)))


def _read(scan_id: int, source: int, place: int) -> dict[str, Any]:
    return {
        "scan_id": scan_id,
        "ordinal": place,
        "schema_name": "public",
        "name": f"table_{place * SOURCES + source}",
        "kind": "table",
        "estimated_rows": 1_000,
        "state": "succeeded",
        "attempts": 1,
        "outcome": json.dumps({"rows": 1_000 + place, "is_exact": True}),
    }


def _results(scan_id: int, place: int) -> Iterator[dict[str, Any]]:
    """Its outcome, two columns with personal data, and two rules, of which some fail."""
    verdict = "pass" if place % 7 else "fail"
    found = [
        ("dataset", None, {}),
        ("classification", "column_0", {"category": "PII", "type": "email"}),
        ("classification", "column_1", {"category": "financial", "type": "card"}),
        ("quality", None, {"verdict": verdict, "severity": "high"}),
        ("quality", None, {"verdict": "pass", "severity": "low"}),
    ]
    for number, (kind, column, body) in enumerate(found):
        yield {
            "scan_id": scan_id,
            "ordinal": place,
            "place": number,
            "kind": kind,
            "column_name": column,
            "body": json.dumps(body),
        }


def _edge(chance: random.Random, datasets: int) -> dict[str, Any]:
    """From an earlier dataset to a later one, as in a warehouse; few go far back."""
    target = chance.randint(2, datasets)
    return {
        "workspace_id": WORKSPACE,
        "origin": chance.choice(("view", "sql", "openlineage")),
        "origin_name": "a view",
        "source_node": f"dataset:{chance.randint(max(1, target - 500), target - 1)}",
        "source_column": "column_0",
        "target_node": f"dataset:{target}",
        "target_column": "column_1",
        "kind": "direct",
        "masking": False,
    }
