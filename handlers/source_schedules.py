"""The schedules of a workspace whose jobs are told of one source."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import schedules
from storage.data_sources import DataSource
from storage.schedules import Schedule

_AT_ONCE = 500


async def schedules_of(connection: AsyncConnection, source: DataSource, *, job: str | None = None) -> list[Schedule]:
    """By id; those of one job, or of all."""
    found: list[Schedule] = []
    after = None
    while True:
        rows = await schedules.list_of(connection, source.workspace_id, after=after, limit=_AT_ONCE)
        found += [row for row in rows if _names(row, source.id) and job in (None, row.job)]
        if len(rows) < _AT_ONCE:
            return found
        after = rows[-1].id


def _names(schedule: Schedule, source_id: int) -> bool:
    arguments = msgspec.json.decode(schedule.arguments)
    if not isinstance(arguments, dict):
        return False
    several = arguments.get("source_ids")
    return arguments.get("source_id") == source_id or (isinstance(several, list) and source_id in several)
