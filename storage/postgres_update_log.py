"""The update log in PostgreSQL: one statement, and so one transaction and one round trip, a commit.

When a connection is lost in the middle of a commit, nobody can tell whether it was done. So every batch of a writer has
a number, and the statement that appends it records the number and the heads it led to. Given again, the batch finds
itself recorded and learns its heads; and an attempt that was under way all the time, and comes after it, does nothing.
"""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text

from storage.database import Database
from storage.errors import MissingDocument
from storage.pending import Append, PendingUpdate
from storage.postgres_engine import keeps_statements
from storage.postgres_statement import PreparedStatement
from storage.tables import documents

# Documents are locked in the order of their ids, so that nodes that append to the same ones wait for each other instead
# of blocking each other for good. The locks come before the record, which an earlier attempt of this batch may be about
# to make. Nothing is changed if a document is missing, or if this batch or a later one is recorded.
_APPEND = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
    AS given (document_id, added, bytes, created_at, author)
), locked AS MATERIALIZED (
    SELECT id, head FROM documents WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
), recorded AS (
    INSERT INTO append_batches AS newest (writer, batch, documents, heads, used_at)
    SELECT $12::text, $13::bigint, array_agg(locked.id), array_agg(locked.head + given.added),
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM locked JOIN given ON given.document_id = locked.id
    HAVING count(*) = cardinality($1::bigint[])
    ON CONFLICT (writer) DO UPDATE
    SET batch = excluded.batch, documents = excluded.documents, heads = excluded.heads, used_at = excluded.used_at
    WHERE newest.batch < excluded.batch
    RETURNING newest.batch
), moved AS (
    UPDATE documents AS d
    SET head = d.head + given.added, size_bytes = d.size_bytes + given.bytes,
        updated_at = coalesce(given.created_at, d.updated_at), updated_by = coalesce(given.author, d.updated_by)
    FROM given
    WHERE d.id = given.document_id AND EXISTS (SELECT FROM recorded)
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

_RECORDED = text(
    "SELECT unnest(documents) AS id, unnest(heads) AS head FROM append_batches "
    "WHERE writer = :writer AND batch = :batch"
)

# A writer that was away for longer than this has long been started anew, under another name.
_FORGET = text(
    "DELETE FROM append_batches WHERE used_at < (extract(epoch FROM now() - interval '30 days') * 1000000)::bigint"
)


class PostgresUpdateLog:
    """The UpdateLog of a PostgreSQL database. It keeps one connection to itself, where there is no pooler.

    `writer` names whoever appends, for as long as the process lasts, and nobody else.
    """

    def __init__(self, database: Database, writer: str | None = None) -> None:
        self._database = database
        self._writer = writer or uuid.uuid4().hex
        self._batch = 0
        # The newest batch, while nobody knows whether it was appended.
        self._unanswered: dict[int, list[PendingUpdate]] | None = None
        self._is_known = False
        self._appending = PreparedStatement(database, _APPEND) if keeps_statements(database.url) else None
        self._lock = asyncio.Lock()
        database.at_close(self.close)

    async def append(self, appends: Sequence[Append]) -> dict[int, int]:
        """See UpdateLog."""
        by_document = _by_document(appends)
        if not by_document:
            return {}
        async with self._lock:
            if by_document != self._unanswered:
                self._batch += 1
                self._unanswered = by_document
            parameters = (*_parameters(by_document), self._writer, self._batch)
            heads = await self._execute(parameters) or await self._recorded()
            self._unanswered = None
        if not heads:
            await self._raise_missing(by_document)
        return heads

    async def _execute(self, parameters: tuple[Any, ...]) -> dict[int, int]:
        if not self._is_known:
            async with self._database.write() as connection:
                await connection.execute(_FORGET)
            self._is_known = True
        if self._appending is not None:
            return {row["id"]: row["head"] for row in await self._appending.fetch(parameters)}
        # By way of a pooler, where a prepared statement would be another connection's the next time.
        async with self._database.write() as connection:
            return {row.id: row.head for row in await connection.exec_driver_sql(_APPEND, parameters)}

    async def _recorded(self) -> dict[int, int]:
        """The heads of this batch if an earlier attempt appended it."""
        async with self._database.read() as connection:
            result = await connection.execute(_RECORDED, {"writer": self._writer, "batch": self._batch})
            return {row.id: row.head for row in result}

    async def _raise_missing(self, wanted: dict[int, list[PendingUpdate]]) -> None:
        async with self._database.read() as connection:
            found = await connection.scalars(select(documents.c.id).where(documents.c.id.in_(wanted)))
        # Empty if they came back to life in between, which row ids never do.
        raise MissingDocument(wanted.keys() - set(found))

    async def close(self) -> None:
        """See UpdateLog."""
        async with self._lock:
            if self._appending is not None:
                await self._appending.close()


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
