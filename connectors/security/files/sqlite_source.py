"""Everything an audit needs of an SQLite database."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator

from connectors import sqlite_session
from connectors.errors import WrongFormat
from connectors.paths import resolve_file
from connectors.security.check import Row, Server
from connectors.security.files import encryption, leftovers, places, sqlite_checks
from connectors.security.files.places import File
from connectors.security.files.session import LookedAt, nothing_to_grant
from connectors.settings import SourceSettings

CATALOGUE = (*places.CHECKS, *sqlite_checks.CHECKS, leftovers.FREED_CHECK, leftovers.JOURNAL_CHECK)
grant_script = nothing_to_grant


class AuditedSqlite(LookedAt):
    """Looks at the file, and statements on what is in it."""

    def __init__(self, file: File, journals: list[Row], session: sqlite_session.Session) -> None:
        # The library that reads, as the file does not tell which wrote it.
        major, minor, patch = sqlite3.sqlite_version_info
        server = Server("sqlite", sqlite3.sqlite_version, major * 1_000_000 + minor * 1_000 + patch)
        looks = {
            places.MODES: lambda: places.modes([file]),
            leftovers.JOURNALS: lambda: journals,
            encryption.OPENNESS: lambda: encryption.of_sqlite(file),
            leftovers.FREED_PAGES: lambda: leftovers.freed_pages(file),
        }
        super().__init__(server, looks)
        self._session = session
        self._statements = frozenset({sqlite_checks.QUICK_CHECK, sqlite_checks.FOREIGN_KEYS, sqlite_checks.CODE})

    async def rows(self, statement: str) -> list[Row]:
        if statement not in self._statements:
            return await super().rows(statement)
        try:
            return await self._session.run(lambda connection: _rows(connection, statement))
        except WrongFormat as error:
            if statement != sqlite_checks.QUICK_CHECK:
                raise
            # So damaged that the library cannot say how.
            return [{"quick_check": str(error)}]


@contextlib.asynccontextmanager
async def open_session(settings: SourceSettings) -> AsyncIterator[AuditedSqlite]:
    """Read-only. Raises ConnectorError where there is no such database."""
    path = await asyncio.to_thread(resolve_file, settings.path, settings.roots)
    await sqlite_session.check_file(path, str(settings.path))
    file = File(path.name, path)
    # Before it is opened: the library may make a journal of its own to read one in write-ahead mode.
    journals = await asyncio.to_thread(leftovers.journals, file)
    session = sqlite_session.Session(path, settings.limits, sqlite_checks.PRAGMAS)
    try:
        yield AuditedSqlite(file, journals, session)
    finally:
        session.close()


def _rows(connection: sqlite3.Connection, statement: str) -> list[Row]:
    cursor = connection.execute(statement)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
