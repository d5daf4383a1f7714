"""The update log in SQLite: one statement a commit.

The newest number of each document is remembered, so that one INSERT holds everything; run by itself it is its own
transaction. A trigger moves the documents' heads and refuses a number that is not the next one (see the migrations).
It does when another process appended, and then, as for documents not seen before, the numbers are read first, in the
same transaction. Measured against UPDATE … RETURNING and INSERT in a transaction this takes half the CPU time, and
each statement and each returned row would be two more moments at which the thread waits for the interpreter's lock.
"""

import asyncio
import functools
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from storage.database import Database
from storage.errors import BrokenReference, MissingDocument, StorageError, Unavailable
from storage.pending import Append
from storage.sqlite_thread import SqliteThread

R = TypeVar("R")

# More would be compiled statements that are seldom used again, and SQLite's limit of variables comes nearer.
_MAX_ROWS = 512
_COLUMNS = 6

# A compiled statement keeps what it was run with last. Larger rows are therefore inserted one by one, by one statement.
_MAX_BYTES = 64 * 1024

# Enough for every document anybody has open; remembering is only a shortcut, and costs 150 bytes a document.
_MAX_HEADS = 10_000


class SqliteUpdateLog:
    """The UpdateLog of a SQLite database."""

    def __init__(self, database: Database) -> None:
        self._lock = database.write_lock
        self.thread = SqliteThread(database.path, database.busy_timeout)
        self._heads: dict[int, int] = {}
        database.at_close(self.close)

    async def append(self, appends: Sequence[Append]) -> dict[int, int]:
        """See UpdateLog."""
        async with self._lock:
            heads = await self._append_at_once(appends)
            if heads is None:
                heads = await self._append_carefully(appends)
            if len(self._heads) > _MAX_HEADS:
                self._heads.clear()
            self._heads.update(heads)
            return heads

    async def _append_at_once(self, appends: Sequence[Append]) -> dict[int, int] | None:
        """One INSERT with the numbers remembered; None if they are not known, or not right any more."""
        numbered = number(appends, self._heads)
        if numbered is None:
            return None
        heads, values = numbered
        if not 0 < len(values) <= _MAX_ROWS * _COLUMNS or size_of(values) > _MAX_BYTES:
            return None
        try:
            await self._finished(self.thread.run(partial(insert, values=values)))
        except sqlite3.IntegrityError:
            return None
        except sqlite3.Error as error:
            raise _translated(error) from error
        return heads

    async def _append_carefully(self, appends: Sequence[Append]) -> dict[int, int]:
        """The numbers read and the rows inserted in one transaction."""
        try:
            return await self._finished(self.thread.run(partial(append_carefully, appends=appends)))
        except MissingDocument as error:
            for document_id in error.ids:
                self._heads.pop(document_id, None)
            raise
        except sqlite3.Error as error:
            raise _translated(error) from error

    async def _finished(self, future: asyncio.Future[R]) -> R:
        try:
            return await future
        except asyncio.CancelledError:
            # The thread goes on: keep other writers out until it is done with this and comes to the next.
            await self.thread.run(_nothing)
            raise

    async def close(self) -> None:
        """See UpdateLog."""
        async with self._lock:
            # The last connection to a file copies the write-ahead log back into it, which takes a moment.
            await asyncio.to_thread(self.thread.close)


def number(appends: Iterable[Append], known: Mapping[int, int]) -> tuple[dict[int, int], list[Any]] | None:
    """The new heads and the values of all rows in one list; None if a document's head is not known."""
    heads: dict[int, int] = {}
    values: list[Any] = []
    for append in appends:
        document_id = append.document_id
        head = heads.get(document_id) or known.get(document_id)
        if head is None:
            return None
        for update in append.updates:
            head += 1
            values += (document_id, head, update.author, update.origin, update.created_at, update.data)
        heads[document_id] = head
    return heads, values


@functools.cache
def insert_statement(rows: int) -> str:
    """The INSERT of so many rows; the same object each time, so that sqlite3 finds it compiled."""
    row = "(" + ",".join("?" * _COLUMNS) + ")"
    into = "INSERT INTO updates (document_id, number, author, origin, created_at, data) VALUES "
    return into + ",".join([row] * rows)


def insert(connection: sqlite3.Connection, values: Sequence[Any]) -> None:
    """Inserts rows given as one flat list, in one statement."""
    connection.execute(insert_statement(len(values) // _COLUMNS), values)


def insert_some(connection: sqlite3.Connection, values: Sequence[Any]) -> None:
    """Inserts rows given as one flat list, of any size, in a transaction that was begun."""
    if size_of(values) <= _MAX_BYTES:
        insert(connection, values)
        return
    for start in range(0, len(values), _COLUMNS):
        insert(connection, values[start : start + _COLUMNS])


def size_of(values: Sequence[Any]) -> int:
    """Bytes of the updates in a flat list of rows."""
    return sum(map(len, values[_COLUMNS - 1 :: _COLUMNS]))


def append_carefully(connection: sqlite3.Connection, appends: Sequence[Append]) -> dict[int, int]:
    """Appends in a transaction that reads the heads first. Raises MissingDocument."""
    wanted = {append.document_id for append in appends}
    connection.execute("BEGIN IMMEDIATE")
    try:
        known = read_heads(connection, wanted)
        if missing := wanted - known.keys():
            raise MissingDocument(missing)
        heads, values = number(appends, known) or ({}, [])
        for start in range(0, len(values), _MAX_ROWS * _COLUMNS):
            insert_some(connection, values[start : start + _MAX_ROWS * _COLUMNS])
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return heads


def read_heads(connection: sqlite3.Connection, document_ids: Iterable[int]) -> dict[int, int]:
    """The newest number of each of the documents that exist."""
    listed = json.dumps(list(document_ids))
    query = "SELECT id, head FROM documents WHERE id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(query, (listed,)).fetchall())


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


def _translated(error: sqlite3.Error) -> StorageError:
    message = f"the updates could not be stored: {error}"
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(message)
    return BrokenReference(message) if isinstance(error, sqlite3.IntegrityError) else StorageError(message)
