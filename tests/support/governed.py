"""Facts for the dashboards, stored as discovery, scans and people store them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from http_node import Node
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import catalog, data_sources, scan_results, scans
from storage.catalog import Column, Found
from storage.scan_results import Found as Result
from storage.scans import Listed

PARTS = ("discovery", "profile", "classification", "quality")


@dataclass(frozen=True)
class Read:
    """What a scan says of a dataset. `sensitive` has (column, category, type), `rules` (verdict, severity)."""

    name: str
    rows: int = 0
    sensitive: Sequence[tuple[str, str, str]] = ()
    rules: Sequence[tuple[str, str]] = ()
    is_exact: bool = True
    state: str = "succeeded"

    def results(self) -> list[Result]:
        sensitive = [
            Result("classification", column, json.dumps({"category": category, "type": type_}))
            for column, category, type_ in self.sensitive
        ]
        rules = [
            Result("quality", None, json.dumps({"verdict": verdict, "severity": severity}))
            for verdict, severity in self.rules
        ]
        return [Result("dataset", None, "{}"), *sensitive, *rules]


async def make_source(
    node: Node, name: str, *, workspace_id: str = "lab", kind: str = "sqlite", test: Mapping[str, Any] | None = None
) -> int:
    async with node.parts.database.write() as connection:
        made = await data_sources.create(
            connection,
            workspace_id=workspace_id,
            name=name,
            kind=kind,
            description=None,
            settings={},
            owner="ada",
            at=node.clock,
        )
        if test is not None:
            await data_sources.note_test(connection, made.id, test, at=node.clock)
    return made.id


async def discover(node: Node, source_id: int, *found: Found, workspace_id: str = "lab") -> dict[str, int]:
    """The ids of the datasets by their name."""
    async with node.parts.database.write() as connection:
        await catalog.lock(connection, source_id)
        stored = await catalog.store(connection, workspace_id, source_id, found, at=node.clock)
        await catalog.note_discovery(connection, source_id, at=node.clock, lineage_digest=None)
    return {name: dataset_id for (_, name), dataset_id in stored.ids.items()}


def table(name: str, *columns: str, rows: int | None = None, comment: str | None = None, schema: str = "main") -> Found:
    made = [Column(column, place, "TEXT", "text", nullable=True) for place, column in enumerate(columns)]
    return Found(schema, name, "table", estimated_rows=rows, columns=made, comment=comment)


async def scan(
    node: Node,
    source_id: int,
    *reads: Read,
    workspace_id: str = "lab",
    schema: str | None = "main",
    parts: Sequence[str] = PARTS,
    state: str = "succeeded",
    at: datetime | None = None,
) -> int:
    """A scan that has ended."""
    at = at or node.clock
    async with node.parts.database.write() as connection:
        scan_id = await scans.create(
            connection,
            workspace_id=workspace_id,
            source_id=source_id,
            run_id=f"run-{source_id}-{at.isoformat()}",
            mode="full",
            options=json.dumps({"parts": parts, "source_id": source_id}),
            created_by="ada",
            at=at,
        )
        await scans.plan(connection, scan_id, [Listed(schema, read.name, "table", None) for read in reads])
        for ordinal, read in enumerate(reads):
            await _read(connection, scan_id, ordinal, read)
        sensitive = sum(len({column for column, _, _ in read.sensitive}) for read in reads)
        await scans.end(connection, scan_id, state, json.dumps({"sensitive_columns": sensitive}), at=at)
    return scan_id


async def _read(connection: AsyncConnection, scan_id: int, ordinal: int, read: Read) -> None:
    begun = await scans.begin_dataset(connection, scan_id, ordinal)
    assert begun is not None
    outcome = json.dumps({"rows": read.rows, "is_exact": read.is_exact})
    assert await scans.end_dataset(connection, scan_id, ordinal, read.state, outcome, attempt=begun.attempts)
    await scan_results.put(connection, scan_id, ordinal, read.results())
