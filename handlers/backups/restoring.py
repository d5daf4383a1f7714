"""A backup becomes a database or a folder again: somewhere else than its source."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from connectors.backup_contents import Contents, refuse_existing, telling_disk
from connectors.datasets import Kind
from connectors.errors import ConnectorError, DamagedBackup
from handlers.backups import copying
from handlers.backups.shapes import Restored, rows_of
from handlers.backups.stored import RESTORED, backup_of, file_of, kind_of, source_of, sweep
from handlers.jobs import Run, StepFailed
from handlers.source_access import code_of, sentence
from storage import users
from storage.sealing import WrongKey


async def unpack(run: Run, source_id: int, backup_id: int, target: str | None) -> Restored:
    """Restores into a place at which there is nothing, never into the source."""
    source = await source_of(run, source_id)
    kind, row = kind_of(source), await backup_of(run, source_id, backup_id)
    path = file_of(run.folder, row)
    place = target or _own_place(run, kind, source_id, backup_id)
    try:
        settings = run.parts.sources.settings_of(source)
        refuse_source(kind, settings.path, settings.database, place)
        if await copying.digest(path) != row.sha256:
            raise DamagedBackup("the file holds other bytes than were written; nothing was restored")
        if kind is Kind.POSTGRESQL:
            found = await copying.restore(kind, settings, path, place, run.parts.backups.postgres_tools)
        else:
            if target is not None:
                await _require_place(run, settings.roots, target)
            found = await _restored_whole(kind, path, Path(place))
    except (ConnectorError, WrongKey) as error:
        raise StepFailed(sentence(error), code=code_of(error)) from None
    return Restored(backup_id=backup_id, target=place, pieces=len(found.pieces), rows=rows_of(found))


def refuse_source(kind: Kind, path: Path | None, database: str | None, target: str) -> None:
    """Raises StepFailed where the target is the source, or inside of it."""
    if kind is Kind.POSTGRESQL:
        is_source = target == database
    else:
        real = Path(target).resolve()
        is_source = path is not None and (real == path.resolve() or real.is_relative_to(path.resolve()))
    if is_source:
        raise StepFailed("A backup is never restored over its source; name another target.", code="target_is_source")


async def _require_place(run: Run, roots: tuple[Path, ...] | None, target: str) -> None:
    """As for registering a path: only below the operator's folders, or by a server administrator.

    Raises StepFailed.
    """
    if not Path(target).is_absolute():
        raise StepFailed(f"{target!r} is not an absolute path; begin it with a slash.", code="bad_target")
    if roots is not None:
        real = await asyncio.to_thread(Path(target).resolve)
        if not any(real.is_relative_to(root.resolve()) for root in roots):
            raise StepFailed(f"{target!r} lies outside of the folders that sources may be in.", code="path_forbidden")
        return
    async with run.parts.database.read() as connection:
        user = await users.get(connection, run.created_by)
    if user is None or not user.is_admin or not user.is_active:
        raise StepFailed(
            "Only a server administrator may name a path, as the operator has not set STUDIO_SOURCE_FOLDERS.",
            code="path_forbidden",
        )


async def _restored_whole(kind: Kind, archive: Path, target: Path) -> Contents:
    """A path that is there in full or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    await asyncio.to_thread(_prepare, target, partial)
    try:
        found = await copying.restore(kind, None, archive, str(partial), None)
        await asyncio.to_thread(_settle, partial, target)
        return found
    finally:
        await asyncio.shield(asyncio.to_thread(sweep, partial.parent, partial.name))


def _prepare(target: Path, partial: Path) -> None:
    with telling_disk():
        refuse_existing(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(partial.parent, partial.name)


def _settle(partial: Path, target: Path) -> None:
    with telling_disk():
        refuse_existing(target)
        if partial.is_dir():
            partial.rename(target)
        else:
            # Unlike a rename, this fails if somebody was quicker.
            os.link(partial, target)


def _own_place(run: Run, kind: Kind, source_id: int, backup_id: int) -> str:
    name = copying.scratch_name(run.id).rpartition("_")[2][:8]
    if kind is Kind.POSTGRESQL:
        return f"restored_{source_id}_{backup_id}_{name}"
    suffix = "" if kind is Kind.FILES else f".{copying.SUFFIXES[kind]}"
    return str((run.folder / RESTORED / str(source_id) / f"{backup_id}-{name}{suffix}").resolve())
