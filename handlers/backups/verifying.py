"""Whether a backup is good: the bytes are those that were written, and what comes out of them is what went in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from connectors import postgresql_backup
from connectors.backup_contents import Contents, differences
from connectors.datasets import Kind
from connectors.errors import BackupError, ConnectorError, DiskFull, ToolMissing, WrongFormat
from handlers.backups import copying
from handlers.backups.shapes import Verification, contents_of, rows_of
from handlers.backups.stored import FOLDER, backup_of, file_of, kind_of, now, source_of, sweep
from handlers.feed_names import activity_of
from handlers.jobs import Run, StepFailed
from handlers.source_access import code_of, sentence
from storage import backups
from storage.backups import Backup
from storage.data_sources import DataSource
from storage.sealing import WrongKey


async def check(run: Run, source_id: int, backup_id: int) -> Verification:
    """Compares what is stored with what was made: the bytes, and what comes out when it is restored into scratch."""
    source = await source_of(run, source_id)
    row = await backup_of(run, source_id, backup_id)
    made, path = contents_of(row), file_of(run.folder, row)
    assert made is not None
    if await copying.digest(path) != row.sha256:
        result = _verified(made, "checksum", ["The file holds other bytes than were written."])
    else:
        method, found = await _from_scratch(run, source, row, path)
        result = _verified(made, method, found if isinstance(found, list) else differences(made, found))
    async with run.parts.feeds.writing() as (connection, outbox):
        encoded = msgspec.json.encode(result).decode()
        await backups.note_verification(connection, row.id, encoded, at=result.verified_at)
        data = {"source_id": source.id, "source": source.name, "backup_id": row.id, "method": result.method}
        what = "verified" if result.ok else "damaged"
        outbox.add(activity_of(source.workspace_id), f"backup.{what}", data, actor=run.created_by)
    return result


async def _from_scratch(run: Run, source: DataSource, row: Backup, path: Path) -> tuple[str, Contents | list[str]]:
    """How it was restored, and what was found; or why it cannot be restored."""
    kind, tools = kind_of(source), run.parts.backups.postgres_tools
    try:
        if kind is Kind.POSTGRESQL:
            return await _from_postgresql(run, source, path, tools)
        scratch = run.folder / FOLDER / str(source.id) / f".{row.id}.scratch"
        await asyncio.to_thread(sweep, scratch.parent, scratch.name)
        try:
            settings = run.parts.sources.settings_of(source)
            return "restore", await copying.restore(kind, settings, path, str(scratch), tools)
        finally:
            await asyncio.shield(asyncio.to_thread(sweep, scratch.parent, scratch.name))
    except (ToolMissing, DiskFull) as error:
        raise StepFailed(sentence(error), code=error.code) from None
    except (BackupError, WrongFormat) as error:
        return "restore", [f"It cannot be restored: {error}."]
    except (ConnectorError, WrongKey) as error:
        raise StepFailed(sentence(error), code=code_of(error)) from None


async def _from_postgresql(run: Run, source: DataSource, path: Path, tools: Path | None) -> tuple[str, Contents]:
    settings = run.parts.sources.settings_of(source)
    if not await postgresql_backup.may_restore(settings):
        return "archive", await postgresql_backup.read_through(settings, path, tools)
    database = copying.scratch_name(run.id)
    await postgresql_backup.drop(settings, database)
    try:
        return "restore", await postgresql_backup.restore(settings, path, database, tools)
    finally:
        await asyncio.shield(postgresql_backup.drop(settings, database))


def _verified(made: Contents, method: str, told: list[str]) -> Verification:
    return Verification(
        ok=not told,
        method=method,
        pieces=len(made.pieces),
        rows=rows_of(made),
        differences=told,
        verified_at=now(),
    )
