"""What scans have found of a source, as reports tell it."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import latest_results, scan_results, scans
from storage.data_sources import DataSource

MOST_ROWS = 5_000
_READ = ("succeeded", "unchanged")

Told = list[tuple[scan_results.Result, dict[str, Any]]]


async def results_of(connection: AsyncConnection, source: DataSource, kind: str) -> Told:
    """The newest results of each dataset, whichever scan found them."""
    rows = await latest_results.latest_of(connection, source, kind, MOST_ROWS)
    return [(row, msgspec.json.decode(row.body)) for row in rows]


async def sensitive_columns(connection: AsyncConnection, source: DataSource) -> list[list[Any]]:
    return [
        [name_of(row), row.column_name or "", body.get("title", ""), round(float(body.get("confidence", 0)), 3)]
        for row, body in await results_of(connection, source, "classification")
    ]


async def datasets_not_read(connection: AsyncConnection, scan: scans.Scan) -> list[list[str]]:
    """Of the datasets that a scan could not read or left out: name, state and why."""
    rows = await scan_results.list_of(connection, scan.id, kind="dataset", limit=MOST_ROWS)
    told = [(name_of(row), msgspec.json.decode(row.body)) for row in rows]
    return [[name, body["state"], body.get("said", "")] for name, body in told if body["state"] not in _READ]


def name_of(row: scan_results.Result) -> str:
    return f"{row.schema_name}.{row.name}" if row.schema_name else row.name
