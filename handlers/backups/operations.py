"""Backups of a data source over the API: make one, look at them, verify, restore, delete."""

from __future__ import annotations

import secrets

import msgspec

from connectors.datasets import Kind
from handlers.audit_trail import record
from handlers.backups import copying
from handlers.backups.shapes import Backup, no_backup, shown
from handlers.backups.stored import remove, unsupported
from handlers.backups.taking import BACKUP, JOBS, RESTORE, VERIFY, Target
from handlers.jobs import State
from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Operation, Page, Permission
from handlers.source_access import require_source
from storage import backups
from storage.data_sources import DataSource

__all__ = ["JOBS", "OPERATIONS"]

HERE = "/data-sources/{source_id}/backups"
ONE = HERE + "/{backup_id}"


class StartedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A durable run: `GET /runs/{run_id}` tells how far it is and what came of it."""

    run_id: str
    state: State


class ListBackups(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    source_id: RowId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateBackup(msgspec.Struct, frozen=True, kw_only=True):
    """`verify`: restore it into scratch at once, and compare."""

    source_id: RowId
    verify: bool = True


class GetBackup(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    backup_id: RowId


class VerifyBackup(GetBackup, frozen=True, kw_only=True):
    pass


class DeleteBackup(GetBackup, frozen=True, kw_only=True):
    """With its file."""


class RestoreBackup(GetBackup, frozen=True, kw_only=True):
    """Into a place at which there is nothing; unless one is named, one of our own. Never over the source."""

    target: Target | None = None


async def list_backups(context: Context, request: ListBackups) -> Page[Backup]:
    await require_source(context, request.source_id, Permission.READ)
    before = decode_cursor("backups", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await backups.list_of(connection, request.source_id, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "backups", key=lambda row: row.id, item=shown)


async def create_backup(context: Context, request: CreateBackup) -> Backup:
    source = await _require(context, request.source_id)
    run_id = f"backup:{source.id}:{secrets.token_hex(12)}"
    arguments = {"source_id": source.id, "verify": request.verify}
    async with context.parts.database.write() as connection:
        user_id = context.user.user_id
        await context.parts.runs.add(
            connection, run_id, BACKUP, arguments, workspace_id=source.workspace_id, created_by=user_id
        )
        row = await backups.ensure(
            connection,
            workspace_id=source.workspace_id,
            source_id=source.id,
            run_id=run_id,
            created_by=user_id,
            at=context.now(),
        )
        await record(connection, context, "backups.create", f"{source.id}/{row.id}", {"run_id": run_id})
    context.parts.runs.tell()
    return shown(row)


async def get_backup(context: Context, request: GetBackup) -> Backup:
    await require_source(context, request.source_id, Permission.READ)
    return shown(await _row(context, request))


async def delete_backup(context: Context, request: DeleteBackup) -> None:
    await require_source(context, request.source_id, Permission.MANAGE)
    row = await _row(context, request)
    if row.finished_at is None:
        raise Conflict("The backup is being made; cancel its run first.", code="backup_unfinished")
    async with context.parts.database.write() as connection:
        if not await backups.remove(connection, row.id):
            raise no_backup(request.source_id, request.backup_id)
        await record(connection, context, "backups.delete", f"{row.source_id}/{row.id}")
    await remove(context.parts.runs.folder, row)


async def verify_backup(context: Context, request: VerifyBackup) -> StartedRun:
    return await _start(context, request, VERIFY, {})


async def restore_backup(context: Context, request: RestoreBackup) -> StartedRun:
    return await _start(context, request, RESTORE, {"target": request.target})


async def _start(context: Context, request: GetBackup, job: str, more: dict[str, str | None]) -> StartedRun:
    source = await _require(context, request.source_id)
    row = await _row(context, request)
    if row.state != State.SUCCEEDED:
        raise Conflict(f"The backup {row.id} is {row.state}; only one that succeeded can be used.", code="no_backup")
    run_id = f"{job}:{row.id}:{secrets.token_hex(12)}"
    arguments = {"source_id": source.id, "backup_id": row.id, **more}
    async with context.parts.database.write() as connection:
        await context.parts.runs.add(
            connection, run_id, job, arguments, workspace_id=source.workspace_id, created_by=context.user.user_id
        )
        action = "backups.verify" if job == VERIFY else "backups.restore"
        await record(connection, context, action, f"{source.id}/{row.id}", {"run_id": run_id, **more})
    context.parts.runs.tell()
    return StartedRun(run_id=run_id, state=State.QUEUED)


async def _require(context: Context, source_id: int) -> DataSource:
    """Raises Conflict for a source of which no backups are made."""
    source = await require_source(context, source_id, Permission.MANAGE)
    if Kind(source.kind) not in copying.SUFFIXES:
        raise Conflict(unsupported(Kind(source.kind)), code="backups_not_supported")
    return source


async def _row(context: Context, request: GetBackup) -> backups.Backup:
    async with context.parts.database.read() as connection:
        row = await backups.get(connection, request.source_id, request.backup_id)
    if row is None:
        raise no_backup(request.source_id, request.backup_id)
    return row


OPERATIONS = (
    Operation(
        "backups.list",
        ListBackups,
        Page[Backup],
        list_backups,
        f"GET {HERE}",
        Permission.SIGNED_IN,
        "List the backups of a data source.",
        errors=(Forbidden,),
    ),
    Operation(
        "backups.create",
        CreateBackup,
        Backup,
        create_backup,
        f"POST {HERE}",
        Permission.SIGNED_IN,
        "Back a data source up.",
        status=202,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "backups.get",
        GetBackup,
        Backup,
        get_backup,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get a backup: its state, its size, and how it was verified.",
        errors=(Forbidden,),
    ),
    Operation(
        "backups.delete",
        DeleteBackup,
        None,
        delete_backup,
        f"DELETE {ONE}",
        Permission.SIGNED_IN,
        "Delete a backup.",
        status=204,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "backups.verify",
        VerifyBackup,
        StartedRun,
        verify_backup,
        f"POST {ONE}/verify",
        Permission.SIGNED_IN,
        "Verify a backup by restoring it into scratch.",
        status=202,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "backups.restore",
        RestoreBackup,
        StartedRun,
        restore_backup,
        f"POST {ONE}/restore",
        Permission.SIGNED_IN,
        "Restore a backup into a new place.",
        status=202,
        errors=(Conflict, Forbidden),
    ),
)
