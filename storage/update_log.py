"""The update log: every accepted update of a document, numbered from 1 without gaps, and the snapshots that shorten it.

A snapshot with the number n holds the updates 1 to n. Documents are named by row id here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.errors import IncompleteLog, MissingDocument
from storage.pending import Append, PendingUpdate, UpdateLog
from storage.postgres_update_log import PostgresUpdateLog
from storage.sqlite_update_log import SqliteUpdateLog
from storage.tables import documents, from_microseconds, snapshots, to_microseconds, updates
from storage.upsert import insert

__all__ = [
    "Append",
    "Head",
    "PendingUpdate",
    "PostgresUpdateLog",
    "SqliteUpdateLog",
    "Stored",
    "UpdateLog",
    "UpdateRow",
    "drop_snapshots",
    "heads",
    "load",
    "load_until",
    "number_at",
    "open_update_log",
    "read",
    "save_snapshot",
    "snapshot_numbers",
    "trim",
]

# Rows are made into objects so many at a time, so that a long log does not hold up the event loop.
_ROWS = 2000


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """A stored update. `origin`: 0 live edit, 1 state synced over a socket, 2 HTTP edit, 3 restore, 4 system."""

    number: int
    author: str
    origin: int
    created_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A document up to the number `head`: the snapshot (its number is 0 if there is none) and every update after it."""

    snapshot_number: int
    snapshot: bytes | None
    updates: list[UpdateRow]
    head: int


class Head(NamedTuple):
    """How far a document's log has got, and whether the document is in the trash."""

    number: int
    is_trashed: bool


def open_update_log(database: Database) -> UpdateLog:
    """The log's writer. It connects with the first append, and ends with the database."""
    return SqliteUpdateLog(database) if database.is_sqlite else PostgresUpdateLog(database)


async def load(database: Database, document_id: int) -> Stored:
    """The newest snapshot and all updates after it. Raises MissingDocument, IncompleteLog."""
    async with database.read() as connection:
        head = await _head(connection, document_id)
        return await _load(connection, document_id, head)


async def load_until(database: Database, document_id: int, number: int) -> Stored:
    """The newest snapshot not after `number`, and the updates after it up to and with `number`.

    A number after the newest update counts as the newest. Raises MissingDocument, IncompleteLog.
    """
    async with database.read() as connection:
        head = await _head(connection, document_id)
        return await _load(connection, document_id, max(0, min(number, head)))


async def read(database: Database, document_id: int, after: int, limit: int) -> list[UpdateRow]:
    """Up to `limit` updates with numbers greater than `after`, in order."""
    async with database.read() as connection:
        return await _rows(connection, _select_updates(document_id, after).limit(limit))


async def heads(database: Database, document_ids: Sequence[int]) -> dict[int, Head]:
    """The heads of those of the documents that exist."""
    query = select(documents.c.id, documents.c.head, documents.c.trashed_at).where(documents.c.id.in_(document_ids))
    async with database.read() as connection:
        return {row.id: Head(row.head, row.trashed_at is not None) for row in await connection.execute(query)}


async def number_at(database: Database, document_id: int, at: datetime) -> int:
    """The number of the last update made at or before `at`; 0 if there is none."""
    query = (
        select(updates.c.number)
        .where(updates.c.document_id == document_id, updates.c.created_at <= to_microseconds(at))
        .order_by(updates.c.number.desc())
        .limit(1)
    )
    async with database.read() as connection:
        return await connection.scalar(query) or 0


async def save_snapshot(
    database: Database, document_id: int, number: int, state: bytes, at: datetime | None = None
) -> None:
    """Keeps a snapshot beside those there are, in place of one with the same number. Raises MissingDocument.

    `number` must not be after the newest update.
    """
    at = at or datetime.now(UTC)
    async with database.write() as connection:
        # Locked, so that the document cannot be purged in between.
        query = select(documents.c.head).where(documents.c.id == document_id).with_for_update(key_share=True)
        head = await connection.scalar(query)
        if head is None:
            raise MissingDocument([document_id])
        if not 0 < number <= head:
            raise ValueError(f"a snapshot with the number {number} of a document with {head} updates")
        values = {"document_id": document_id, "number": number, "state": state, "created_at": at}
        statement = insert(connection, snapshots).values(values)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["document_id", "number"], set_={"state": state, "created_at": at}
            )
        )


async def snapshot_numbers(database: Database, document_id: int) -> list[int]:
    """The numbers of the document's snapshots, the oldest first."""
    query = select(snapshots.c.number).where(snapshots.c.document_id == document_id).order_by(snapshots.c.number)
    async with database.read() as connection:
        return list(await connection.scalars(query))


async def drop_snapshots(database: Database, document_id: int, numbers: Sequence[int]) -> None:
    """Deletes snapshots. The newest should stay: without it a load replays the whole log."""
    condition = (snapshots.c.document_id == document_id) & snapshots.c.number.in_(numbers)
    async with database.write() as connection:
        await connection.execute(delete(snapshots).where(condition))


async def trim(database: Database, document_id: int, until: int) -> int:
    """Forgets the updates up to and with `until`, as far as a snapshot holds them: how many were deleted.

    Who made them, and the document as it was in between, cannot be told any more.
    """
    async with database.write() as connection:
        newest = await connection.scalar(
            select(func.max(snapshots.c.number)).where(snapshots.c.document_id == document_id)
        )
        condition = (updates.c.document_id == document_id) & (updates.c.number <= min(until, newest or 0))
        result = await connection.execute(delete(updates).where(condition))
        return result.rowcount


async def _head(connection: AsyncConnection, document_id: int) -> int:
    head: int | None = await connection.scalar(select(documents.c.head).where(documents.c.id == document_id))
    if head is None:
        raise MissingDocument([document_id])
    return head


async def _load(connection: AsyncConnection, document_id: int, until: int) -> Stored:
    query = (
        select(snapshots.c.number, snapshots.c.state)
        .where(snapshots.c.document_id == document_id, snapshots.c.number <= until)
        .order_by(snapshots.c.number.desc())
        .limit(1)
    )
    snapshot = (await connection.execute(query)).first()
    start = snapshot.number if snapshot else 0
    rows = await _rows(connection, _select_updates(document_id, start).where(updates.c.number <= until))
    # Numbers are unique and have an order: if there are enough of them, none is missing.
    if len(rows) != until - start:
        raise IncompleteLog(f"document {document_id} has {len(rows)} of the {until - start} updates after {start}")
    return Stored(start, snapshot.state if snapshot else None, rows, until)


def _select_updates(document_id: int, after: int) -> Select[Any]:
    columns = (updates.c.number, updates.c.author, updates.c.origin, updates.c.created_at, updates.c.data)
    return (
        select(*columns)
        .where(updates.c.document_id == document_id, updates.c.number > after)
        .order_by(updates.c.number)
    )


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[UpdateRow]:
    rows: list[UpdateRow] = []
    result = await connection.stream(query)
    async for part in result.partitions(_ROWS):
        rows += [UpdateRow(n, author, origin, from_microseconds(at), data) for n, author, origin, at, data in part]
    return rows
