"""What the jobs of backups have in common: the source that they are about, and the files that are theirs."""

from __future__ import annotations

import asyncio
import glob
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from connectors.datasets import Kind
from handlers.backups import copying
from handlers.backups.shapes import Verification
from handlers.jobs import Run, StepFailed
from storage import backups, data_sources
from storage.backups import Backup
from storage.data_sources import DataSource
from storage.runs import SUCCEEDED

FOLDER, RESTORED = "backups", "restored"


def is_verified(row: Backup) -> bool:
    return row.verification is not None and msgspec.json.decode(row.verification, type=Verification).ok


async def remove(folder: Path, row: Backup) -> None:
    """The file goes."""
    if row.file is not None:
        await asyncio.to_thread((folder / row.file).unlink, missing_ok=True)


def kind_of(source: DataSource) -> Kind:
    """Raises StepFailed for one of which no backups are made."""
    kind = Kind(source.kind)
    if kind not in copying.SUFFIXES:
        raise StepFailed(unsupported(kind), code="backups_not_supported")
    return kind


def unsupported(kind: Kind) -> str:
    known = ", ".join(sorted(copying.SUFFIXES))
    return f"No backups are made of sources of the kind {kind}; they are of {known}."


def file_of(folder: Path, row: Backup) -> Path:
    """Raises StepFailed for a file that is not here."""
    path = folder / (row.file or "")
    if row.file is None or row.state != SUCCEEDED:
        raise StepFailed(f"The backup {row.id} did not succeed.", code="no_backup")
    if not path.is_file():
        raise StepFailed(
            f"The backup's file is not on this machine; it was written on {row.host}.", code="file_missing"
        )
    return path


async def source_of(run: Run, source_id: int) -> DataSource:
    """The source, if it is of the run's workspace: whoever starts a run may do so there, and nowhere else."""
    async with run.parts.database.read() as connection:
        source = await data_sources.get(connection, source_id)
    if source is None or source.workspace_id != run.workspace_id:
        raise StepFailed(f"The workspace has no data source {source_id}.", code="no_source")
    return source


async def backup_of(run: Run, source_id: int, backup_id: int) -> Backup:
    async with run.parts.database.read() as connection:
        row = await backups.get(connection, source_id, backup_id)
    if row is None:
        raise StepFailed(f"The data source {source_id} has no backup {backup_id}.", code="no_backup")
    return row


def sweep(folder: Path, name: str) -> None:
    """Removes what has that name, and what a database left beside it."""
    for path in [folder / name, *folder.glob(f"{glob.escape(name)}[-.]*")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def now() -> datetime:
    return datetime.now(UTC)
