"""Whether a data source could be had back: its backups, when the next is due, and what the server archives itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from connectors.datasets import Kind
from handlers.backups import copying
from handlers.backups.shapes import Backup, shown
from handlers.backups.stored import unsupported
from handlers.backups.taking import BACKUP
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Instant, Operation, OperationError, Permission
from handlers.source_access import require_source, use_source
from handlers.source_schedules import schedules_of
from storage import backups
from storage.data_sources import DataSource
from storage.runs import FAILED, SUCCEEDED

STALE = timedelta(days=7)
_ARCHIVER = """
SELECT current_setting('archive_mode'), current_setting('wal_level'), archived_count, last_archived_wal,
  last_archived_time::text, failed_count, last_failed_wal, last_failed_time::text,
  coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) FROM pg_stat_archiver
"""

Verdict = Literal["protected", "unverified", "damaged", "stale", "failing", "none", "unsupported"]


class Archiver(msgspec.Struct, frozen=True, kw_only=True):
    """What PostgreSQL says of its archiving of the write-ahead log; `error` where it could not be asked."""

    mode: str | None = None
    wal_level: str | None = None
    archived: int | None = None
    last_archived_wal: str | None = None
    last_archived_at: str | None = None
    failed: int | None = None
    last_failed_wal: str | None = None
    last_failed_at: str | None = None
    failing: bool | None = None
    error: str | None = None


class BackupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict` for programs, `summary` for people. `last_failed` is there if it is newer than `last_backup`."""

    verdict: Verdict
    summary: str
    last_backup: Backup | None
    age_seconds: int | None
    last_failed: Backup | None
    next_scheduled_at: Instant | None
    schedules: int
    backups: int
    bytes: int
    kept: int
    archiver: Archiver | None


class GetBackupStatus(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId


async def get_backup_status(context: Context, request: GetBackupStatus) -> BackupStatus:
    source = await require_source(context, request.source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        good = await backups.list_of(connection, source.id, state=SUCCEEDED, limit=1)
        bad = await backups.list_of(connection, source.id, state=FAILED, limit=1)
        count, size = await backups.held(connection, source.id)
        planned = await schedules_of(connection, source, job=BACKUP)
    last = shown(good[0]) if good else None
    failed = shown(bad[0]) if bad and (not good or bad[0].id > good[0].id) else None
    due = [row.next_run_at for row in planned if row.enabled and row.next_run_at is not None]
    age = context.now() - (last.finished_at or last.created_at) if last else None
    verdict, summary = _judged(Kind(source.kind), last, failed, age)
    return BackupStatus(
        verdict=verdict,
        summary=summary,
        last_backup=last,
        age_seconds=max(0, int(age.total_seconds())) if age is not None else None,
        last_failed=failed,
        next_scheduled_at=min(due, default=None),
        schedules=len(planned),
        backups=count,
        bytes=size,
        kept=context.parts.backups.kept,
        archiver=await _archiver(context, source) if source.kind == Kind.POSTGRESQL else None,
    )


def _judged(kind: Kind, last: Backup | None, failed: Backup | None, age: timedelta | None) -> tuple[Verdict, str]:
    if kind not in copying.SUFFIXES:
        return "unsupported", unsupported(kind)
    why = f" {failed.error.message}" if failed is not None and failed.error is not None else ""
    if last is None or age is None:
        if failed is not None:
            return "failing", f"No backup has succeeded, and the last one failed.{why}"
        return "none", "There is no backup."
    if failed is not None:
        return "failing", f"The last backup failed; the newest that succeeded is {_shown(age)} old.{why}"
    if last.verification is not None and not last.verification.ok:
        return "damaged", f"The newest backup did not pass its verification. {last.verification.differences[0]}"
    if age > STALE:
        return "stale", f"The newest backup is {_shown(age)} old."
    if last.verification is None:
        return "unverified", f"The newest backup is {_shown(age)} old, and nobody has tried to restore it."
    how = {"restore": "was restored and compared", "archive": "was read through and compared"}
    return "protected", f"The newest backup is {_shown(age)} old, and {how[last.verification.method]}."


def _shown(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


async def _archiver(context: Context, source: DataSource) -> Archiver:
    try:
        async with use_source(context, source.id) as connector:
            [row] = (await connector.query(_ARCHIVER)).rows
    except OperationError as error:
        return Archiver(error=error.message)
    return Archiver(**dict(zip(Archiver.__struct_fields__, row, strict=False)))


OPERATIONS = (
    Operation(
        "backups.status",
        GetBackupStatus,
        BackupStatus,
        get_backup_status,
        "GET /data-sources/{source_id}/backup-status",
        Permission.SIGNED_IN,
        "Tell whether a data source could be had back.",
        errors=(Forbidden,),
    ),
)
