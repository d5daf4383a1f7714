"""Backups of sources of every kind: files in a process of their own, PostgreSQL by its tools."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from connectors import duckdb_backup, files_backup, postgresql_backup, sqlite_backup
from connectors.backup_contents import Contents, digest_of
from connectors.datasets import Kind
from connectors.paths import resolve_file, resolve_folder
from connectors.settings import SourceSettings
from handlers.child_work import Tell, run_in_child

SUFFIXES = {Kind.SQLITE: "sqlite3", Kind.DUCKDB: "duckdb", Kind.FILES: "tar.gz", Kind.POSTGRESQL: "dump"}


async def back_up(kind: Kind, settings: SourceSettings, target: Path, tools: Path | None, tell: Tell) -> Contents:
    """Makes `target`. Raises ConnectorError."""
    if kind is Kind.POSTGRESQL:
        return await postgresql_backup.back_up(settings, target, tools)
    return await run_in_child(back_up_here, kind, settings, target, tell=tell)


async def restore(
    kind: Kind, settings: SourceSettings | None, archive: Path, target: str, tools: Path | None
) -> Contents:
    """Makes the path, or the database on the source's server, that is called `target`. Raises ConnectorError.

    `settings` are asked for only where there is a server.
    """
    if kind is Kind.POSTGRESQL and settings is not None:
        return await postgresql_backup.restore(settings, archive, target, tools)
    return await run_in_child(restore_here, kind, archive, Path(target))


async def digest(path: Path) -> str:
    return await run_in_child(digest_here, path)


# In the process of its own


# Whatever the source's own mode: a copy of it is for the server's account alone, as the source's rows are.
_OTHERS = 0o077


def back_up_here(tell: Tell, kind: Kind, settings: SourceSettings, target: Path) -> Contents:
    os.umask(_OTHERS)
    if kind is Kind.FILES:
        folder = resolve_folder(settings.path, settings.roots)
        return files_backup.back_up(folder, settings.pattern, target, tell)
    copy = sqlite_backup.back_up if kind is Kind.SQLITE else duckdb_backup.back_up
    return copy(resolve_file(settings.path, settings.roots), target, tell)


def restore_here(_: Tell, kind: Kind, archive: Path, target: Path) -> Contents:
    os.umask(_OTHERS)
    match kind:
        case Kind.FILES:
            return files_backup.restore(archive, target)
        case Kind.DUCKDB:
            return duckdb_backup.restore(archive, target)
        case _:
            return sqlite_backup.restore(archive, target)


def digest_here(_: Tell, path: Path) -> str:
    return digest_of(path)


def scratch_name(run_id: str) -> str:
    """Of a database to verify in: the same when a step is done again, and nobody else's."""
    return f"collab_studio_verify_{hashlib.sha256(run_id.encode()).hexdigest()[:20]}"
