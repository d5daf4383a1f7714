"""What the storage tests share: an open database, and rows to begin with."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from storage import documents, workspaces
from storage.database import Database
from storage.documents import Document
from storage.update_log import Append, PendingUpdate

R = TypeVar("R")

NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)

# Long enough for a slow machine, short enough to fail before the test's own limit.
DEADLINE = 30.0


def with_database(url: str, body: Callable[[Database], Awaitable[R]], *, busy_timeout: float = 5.0) -> R:
    """Runs the body with the database open, and closes it."""

    async def run() -> R:
        database = await Database.open(url, busy_timeout=busy_timeout)
        try:
            async with asyncio.timeout(DEADLINE):
                return await body(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def make_documents(database: Database, *names: str) -> list[Document]:
    """Documents in the workspace `default`, which is made if need be."""
    async with database.write() as connection:
        await workspaces.ensure(connection, "default", created_by="admin", at=NOW)
        return [await documents.create(connection, "default", name, created_by="ann", at=NOW) for name in names]


def pending(*data: bytes, author: str = "ann", origin: int = 0, at: int = 1_000_000) -> list[PendingUpdate]:
    """Updates with this data; the first is made at `at` microseconds, the others a microsecond later each."""
    return [PendingUpdate(author, origin, at + i, one) for i, one in enumerate(data)]


def append_of(document: Document | int, *data: bytes, author: str = "ann", at: int = 1_000_000) -> Append:
    """An append of updates with this data."""
    document_id = document if isinstance(document, int) else document.id
    return Append(document_id, pending(*data, author=author, at=at))
