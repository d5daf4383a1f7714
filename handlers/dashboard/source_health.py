"""How each data source of a workspace is."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Instant, Operation, Page, Permission, Watched
from storage import dashboard_sources as facts
from storage import data_sources
from storage.data_sources import DataSource

_LIST = "dashboard.data_sources"


class ListSourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class LastScan(msgspec.Struct, frozen=True, kw_only=True):
    """The newest scan that has ended; an error is what kept it from datasets."""

    id: RowId
    state: str
    finished_at: Instant
    error_code: str | None
    error_message: str | None


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A source at `as_of`; null is what was not measured.

    `age_seconds` is how old the newest scan that succeeded is. `quality` is the share of rules that hold, each dataset
    as it was checked last; `sensitive_columns` alike. `dataset_errors` are datasets that discovery could not describe.
    """

    id: RowId
    name: str
    kind: str
    as_of: Instant
    tested_at: Instant | None
    test_ok: bool | None
    discovered_at: Instant | None
    datasets: int | None
    dataset_errors: int | None
    last_scan: LastScan | None
    succeeded_at: Instant | None
    age_seconds: int | None
    sensitive_columns: int | None
    failed_rules: int | None
    quality: float | None


async def list_source_health(context: Context, request: ListSourceHealth) -> Page[SourceHealth]:
    after = decode_cursor(_LIST, request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await data_sources.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
        shown = await _health(context, connection, request.workspace_id, rows)
    return page_of(rows, request.limit, _LIST, key=lambda row: row.id, item=lambda row: shown[row.id])


async def _health(
    context: Context, connection: AsyncConnection, workspace_id: str, rows: list[DataSource]
) -> dict[int, SourceHealth]:
    """One question for all of them at a time."""
    ids = [row.id for row in rows]
    scans = await facts.last_scans(connection, workspace_id, ids)
    discovered = await facts.discovered(connection, ids)
    catalogued = await facts.catalogued(connection, workspace_id, ids)
    sensitive = await facts.sensitive_columns(connection, workspace_id, ids)
    rules = await facts.rules(connection, workspace_id, ids)
    now, found = context.now(), {}
    for row in rows:
        scan, catalog = scans.get(row.id), catalogued.get(row.id, facts.Catalogued(0, 0))
        passed, failed = rules.get(row.id, (0, 0))
        succeeded_at, is_discovered = scan.succeeded_at if scan else None, row.id in discovered
        found[row.id] = SourceHealth(
            id=row.id,
            name=row.name,
            kind=row.kind,
            as_of=now,
            tested_at=row.tested_at,
            test_ok=bool(row.last_test.get("ok")) if row.last_test else None,
            discovered_at=discovered.get(row.id),
            datasets=catalog.datasets if is_discovered else None,
            dataset_errors=catalog.with_errors if is_discovered else None,
            last_scan=_last(scan) if scan else None,
            succeeded_at=succeeded_at,
            age_seconds=max(0, int((now - succeeded_at).total_seconds())) if succeeded_at else None,
            sensitive_columns=sensitive.get(row.id),
            failed_rules=failed if passed + failed else None,
            quality=round(passed / (passed + failed), 4) if passed + failed else None,
        )
    return found


def _last(scan: facts.LastScan) -> LastScan:
    return LastScan(
        id=scan.id,
        state=scan.state,
        finished_at=scan.finished_at,
        error_code=scan.error_code,
        error_message=scan.error_message,
    )


OPERATIONS = (
    Operation(
        "dashboard.data_sources",
        ListSourceHealth,
        Page[SourceHealth],
        list_source_health,
        "GET /dashboard/data-sources",
        Permission.READ,
        "List how each data source is.",
        watched=Watched(frozenset({"data_sources", "catalog", "scans"}), passing=frozenset({"as_of", "age_seconds"})),
    ),
)
