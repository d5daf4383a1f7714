"""SQLite databases that have their tables already: copied, since migrating one takes longer than most tests."""

from __future__ import annotations

import asyncio
import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from storage.database import Database

SQLITE = "sqlite:///"


def migrate(url: str) -> None:
    asyncio.run(_migrate(url))


async def lay_tables(url: str) -> None:
    """Where the URL is that of an SQLite file that does not exist, makes one with tables. Others are left alone."""
    if url.startswith(SQLITE):
        await asyncio.to_thread(_lay, Path(url.removeprefix(SQLITE)))


def _lay(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(migrated_sqlite(), path)


@functools.cache
def migrated_sqlite() -> Path:
    """A file to copy. Each process of tests makes one."""
    folder = Path(tempfile.mkdtemp(prefix="studio-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "studio.sqlite3"
    migrate(f"{SQLITE}{path}")
    return path


async def _migrate(url: str) -> None:
    database = await Database.open(url)
    try:
        await database.migrate()
    finally:
        await database.close()
