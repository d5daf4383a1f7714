"""A workspace day by day. What was not measured on a day is null: zero is a measurement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.names import WorkspaceId
from handlers.registry import Context, Instant, Operation, Permission, Watched
from storage import dashboard_trends as facts

MOST_DAYS = 366
_FIRST = date(1970, 1, 1)
_NO_SCANS = facts.ScanDay(0, 0, 0, 0, 0)
_NO_EDITS = facts.EditDay(0, 0)


class GetTrends(msgspec.Struct, frozen=True, kw_only=True):
    """The last `days` days in UTC, today included."""

    workspace_id: WorkspaceId = "default"
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 30


class TrendDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day in UTC; null is what was not measured on it.

    Scans are those that ended. `sensitive_columns` were found by scans that looked for sensitive data, `failed_rules`
    by those that checked rules; `quality` is the share of rules that held. `rows` are those of the `counted_datasets`
    that were read as a whole. `edits` are updates of documents that the log still holds one by one.
    """

    date: date
    scans: int | None
    succeeded_scans: int | None
    failed_scans: int | None
    sensitive_columns: int | None
    failed_rules: int | None
    quality: float | None
    rows: int | None
    counted_datasets: int | None
    edits: int | None
    editors: int | None


class Trends(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest day first; the last one is not over yet at `as_of`."""

    workspace_id: WorkspaceId
    as_of: Instant
    days: list[TrendDay]


async def get_trends(context: Context, request: GetTrends) -> Trends:
    now, workspace_id = context.now(), request.workspace_id
    first = now.astimezone(UTC).date() - timedelta(days=request.days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    async with context.parts.database.read() as connection:
        began = await facts.began_at(connection, workspace_id)
        scans = await facts.scan_days(connection, workspace_id, since)
        quality = await facts.quality_days(connection, workspace_id, since)
        rows = await facts.row_days(connection, workspace_id, since)
        edits = await facts.edit_days(connection, workspace_id, since)
    days = []
    for place in range(request.days):
        day = first + timedelta(days=place)
        number = (day - _FIRST).days
        existed = began is not None and began.date() <= day
        days.append(
            _day(
                day,
                scans.get(number, _NO_SCANS if existed else None),
                quality.get(number),
                rows.get(number),
                edits.get(number, _NO_EDITS if existed else None),
            )
        )
    return Trends(workspace_id=workspace_id, as_of=now, days=days)


def _day(
    day: date,
    scans: facts.ScanDay | None,
    quality: facts.QualityDay | None,
    rows: facts.RowsDay | None,
    edits: facts.EditDay | None,
) -> TrendDay:
    judged = quality.passed + quality.failed if quality else 0
    return TrendDay(
        date=day,
        scans=scans.scans if scans else None,
        succeeded_scans=scans.succeeded if scans else None,
        failed_scans=scans.failed if scans else None,
        sensitive_columns=scans.sensitive_columns if scans and scans.classified else None,
        failed_rules=quality.failed if quality and judged else None,
        quality=round(quality.passed / judged, 4) if quality and judged else None,
        rows=rows.rows if rows else None,
        counted_datasets=rows.datasets if rows else None,
        edits=edits.edits if edits else None,
        editors=edits.people if edits else None,
    )


OPERATIONS = (
    Operation(
        "dashboard.trends",
        GetTrends,
        Trends,
        get_trends,
        "GET /dashboard/trends",
        Permission.READ,
        "Get a workspace day by day.",
        watched=Watched(frozenset({"data_sources", "scans", "documents"})),
    ),
)
