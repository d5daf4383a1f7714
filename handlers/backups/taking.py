"""The jobs that make, verify and restore backups, each of whose steps may be done again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from connectors.errors import ConnectorError
from handlers.backups import copying
from handlers.backups.restoring import unpack
from handlers.backups.shapes import Restored, Verification
from handlers.backups.stored import FOLDER, is_verified, kind_of, now, remove, source_of, sweep
from handlers.backups.verifying import check
from handlers.feed_names import activity_of
from handlers.jobs import Job, Run, StepFailed
from handlers.names import RowId
from handlers.registry import Permission
from handlers.source_access import code_of, sentence
from storage import backups
from storage.runs import FAILED, SUCCEEDED
from storage.sealing import WrongKey

BACKUP, VERIFY, RESTORE = "source.backup", "source.backup.verify", "source.restore"
_LISTED = 1000

Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="A path, or for PostgreSQL a database on the source's server, at which there is nothing yet.",
    ),
]


class BackUp(msgspec.Struct, frozen=True, kw_only=True):
    """`verify`: restore it into scratch at once, and compare."""

    source_id: RowId
    verify: bool = True


class Verify(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    backup_id: RowId


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    backup_id: RowId
    target: Target | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made: the backup, and whether it was verified."""

    backup_id: int
    bytes: int
    verified: bool | None = None
    verification_error: str | None = None


async def back_up(run: Run, arguments: BackUp) -> Made:
    backup_id = await run.step(begin, run, arguments.source_id)
    try:
        size = await run.step(copy, run, arguments.source_id, backup_id)
    except StepFailed as error:
        await run.step(fail, run, arguments.source_id, backup_id, error.code, error.message)
        raise
    verified, error_message = None, None
    if arguments.verify:
        try:
            verified = (await run.step(check, run, arguments.source_id, backup_id)).ok
        except StepFailed as error:  # the backup is there, whether it can be looked at now or not
            error_message = error.message
    await run.step(remove_old, run, arguments.source_id)
    return Made(backup_id=backup_id, bytes=size, verified=verified, verification_error=error_message)


async def verify(run: Run, arguments: Verify) -> Verification:
    return await run.step(check, run, arguments.source_id, arguments.backup_id)


async def restore(run: Run, arguments: Restore) -> Restored:
    return await run.step(unpack, run, arguments.source_id, arguments.backup_id, arguments.target)


async def begin(run: Run, source_id: int) -> int:
    """The id of the backup that this run makes."""
    source = await source_of(run, source_id)
    async with run.parts.database.write() as connection:
        row = await backups.ensure(
            connection,
            workspace_id=source.workspace_id,
            source_id=source.id,
            run_id=run.id,
            created_by=run.created_by,
            at=now(),
        )
    return row.id


async def copy(run: Run, source_id: int, backup_id: int) -> int:
    """The file's size. A file is there in full, under its name, or not at all."""
    source = await source_of(run, source_id)
    kind = kind_of(source)
    folder = run.folder / FOLDER / str(source.id)
    partial = folder / f".{backup_id}.partial"
    target = folder / f"{backup_id}.{copying.SUFFIXES[kind]}"
    await asyncio.to_thread(_prepare, folder, partial)
    try:
        settings = run.parts.sources.settings_of(source)
        tools = run.parts.backups.postgres_tools
        contents = await copying.back_up(kind, settings, partial, tools, run.tell)
        digest, size = await copying.digest(partial), partial.stat().st_size
        await asyncio.to_thread(partial.replace, target)
    except (ConnectorError, WrongKey) as error:
        raise StepFailed(sentence(error), code=code_of(error)) from None
    finally:
        # Beside it SQLite and DuckDB may have left a journal.
        await asyncio.shield(asyncio.to_thread(sweep, folder, partial.name))
    values = {
        "file": str(target.relative_to(run.folder)),
        "host": socket.gethostname(),
        "bytes": size,
        "sha256": digest,
        "contents": msgspec.json.encode(contents).decode(),
    }
    async with run.parts.feeds.writing() as (connection, outbox):
        if await backups.end(connection, backup_id, SUCCEEDED, at=now(), **values):
            data = {"source_id": source.id, "source": source.name, "backup_id": backup_id, "bytes": size}
            outbox.add(activity_of(source.workspace_id), "backup.succeeded", data, actor=run.created_by)
    return size


async def fail(run: Run, source_id: int, backup_id: int, code: str, message: str) -> None:
    source = await source_of(run, source_id)
    async with run.parts.feeds.writing() as (connection, outbox):
        values = {"error_code": code, "error_message": message}
        if await backups.end(connection, backup_id, FAILED, at=now(), **values):
            data = {"source_id": source.id, "source": source.name, "backup_id": backup_id, **values}
            outbox.add(activity_of(source.workspace_id), "backup.failed", data, actor=run.created_by)


async def remove_old(run: Run, source_id: int) -> int:
    """Keeps as many as the settings say, and the newest that is known to be good. How many were removed."""
    kept = run.parts.backups.kept
    async with run.parts.database.read() as connection:
        good = await backups.list_of(connection, source_id, state=SUCCEEDED, limit=_LISTED)
    spare = good[kept:]
    if not any(is_verified(row) for row in good[:kept]):
        best = next((row for row in spare if is_verified(row)), None)
        spare = [row for row in spare if row is not best]
    for row in spare:
        await remove(run.folder, row)
        async with run.parts.database.write() as connection:
            await backups.remove(connection, row.id)
    return len(spare)


def _prepare(folder: Path, partial: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(folder, partial.name)


JOBS = (
    Job(BACKUP, BackUp, back_up, "Back a data source up.", Permission.MANAGE),
    Job(VERIFY, Verify, verify, "Verify a backup of a data source.", Permission.MANAGE),
    Job(RESTORE, Restore, restore, "Restore a backup of a data source into a new place.", Permission.MANAGE),
)
