"""A database at which runs begin at once."""

import asyncio
import shutil
from pathlib import Path

import pytest
from migrated import migrated_sqlite
from run_nodes import run_when, start, working

from storage.durable_place import SQLITE_FILE


@pytest.fixture(scope="session")
def engine_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine's own SQLite file, to copy: it looks for its queue once a second, and makes it after it has looked."""
    folder = tmp_path_factory.mktemp("engine")
    url = f"sqlite:///{shutil.copy(migrated_sqlite(), folder / 'studio.sqlite3')}"

    async def scenario() -> None:
        async with working(url, folder) as node:
            await start(node.parts.runs, "first", "count", steps=1)
            await run_when(node.parts.database, "first")

    asyncio.run(scenario())
    return folder / SQLITE_FILE


@pytest.fixture
def engine_url(sqlite_url: str, tmp_path: Path, engine_file: Path) -> str:
    """A SQLite database of the test's own with tables, and beside it the engine's."""
    shutil.copy(engine_file, tmp_path / SQLITE_FILE)
    return sqlite_url
