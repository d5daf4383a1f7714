"""The update log in PostgreSQL: one statement, and so one transaction and one round trip, a commit."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, translated_errors
from storage.errors import MissingDocument
from storage.pending import Append, PendingUpdate
from storage.tables import documents

# Documents are locked in the order of their ids, so that nodes that append to the same ones wait for each other instead
# of blocking each other for good. Nothing is changed if one of them is missing.
_APPEND = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
    AS given (document_id, added, bytes, created_at, author)
), locked AS MATERIALIZED (
    SELECT id FROM documents WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE documents AS d
    SET head = d.head + given.added, size_bytes = d.size_bytes + given.bytes,
        updated_at = coalesce(given.created_at, d.updated_at), updated_by = coalesce(given.author, d.updated_by)
    FROM given
    WHERE d.id = given.document_id AND (SELECT count(*) FROM locked) = cardinality($1::bigint[])
    RETURNING d.id, d.head, d.head - given.added AS old_head
), inserted AS (
    INSERT INTO updates (document_id, number, author, origin, created_at, data)
    SELECT moved.id, moved.old_head + new.position, new.author, new.origin, new.created_at, new.data
    FROM unnest($6::bigint[], $7::bigint[], $8::text[], $9::smallint[], $10::bigint[], $11::bytea[])
    AS new (document_id, position, author, origin, created_at, data)
    JOIN moved ON moved.id = new.document_id
)
SELECT id, head FROM moved
"""


class PostgresUpdateLog:
    """The UpdateLog of a PostgreSQL database. It keeps one connection to itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None
        self._lock = asyncio.Lock()
        database.at_close(self.close)

    async def append(self, appends: Sequence[Append]) -> dict[int, int]:
        """See UpdateLog."""
        by_document = _by_document(appends)
        if not by_document:
            return {}
        async with self._lock:
            heads = await self._execute(_parameters(by_document))
        if len(heads) < len(by_document):
            await self._raise_missing(by_document)
        return heads

    async def _execute(self, parameters: tuple[list[Any], ...]) -> dict[int, int]:
        with translated_errors():
            try:
                connection = self._connection or await self._connect()
                result = await connection.exec_driver_sql(_APPEND, parameters)
                return {row.id: row.head for row in result}
            except BaseException:
                await self._disconnect()
                raise

    async def _connect(self) -> AsyncConnection:
        self._connection = connection = await self._database.connect()
        # A statement that is its own transaction needs no round trips to begin and to commit.
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        return connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _raise_missing(self, wanted: dict[int, list[PendingUpdate]]) -> None:
        async with self._database.read() as connection:
            found = await connection.scalars(select(documents.c.id).where(documents.c.id.in_(wanted)))
        # Empty if they came back to life in between, which row ids never do.
        raise MissingDocument(wanted.keys() - set(found))

    async def close(self) -> None:
        """See UpdateLog."""
        async with self._lock:
            await self._disconnect()


def _by_document(appends: Sequence[Append]) -> dict[int, list[PendingUpdate]]:
    by_document: dict[int, list[PendingUpdate]] = {}
    for append in appends:
        by_document.setdefault(append.document_id, []).extend(append.updates)
    return by_document


def _parameters(by_document: dict[int, list[PendingUpdate]]) -> tuple[list[Any], ...]:
    """The columns of the documents' rows, then those of the updates'."""
    newest = [updates[-1] if updates else None for updates in by_document.values()]
    rows = [
        (document_id, position, update)
        for document_id, updates in by_document.items()
        for position, update in enumerate(updates, 1)
    ]
    return (
        list(by_document),
        [len(updates) for updates in by_document.values()],
        [sum(len(update.data) for update in updates) for updates in by_document.values()],
        [update and update.created_at for update in newest],
        [update and update.author for update in newest],
        [document_id for document_id, _, _ in rows],
        [position for _, position, _ in rows],
        [update.author for _, _, update in rows],
        [update.origin for _, _, update in rows],
        [update.created_at for _, _, update in rows],
        [update.data for _, _, update in rows],
    )
