"""A session of an audit with a MySQL or MariaDB server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from connectors import mysql_session
from connectors.errors import StatementFailed
from connectors.security.check import Row, Server
from connectors.security.mysql.servers import MARIADB, MYSQL, version_number
from connectors.settings import SourceSettings

# An audit must not be what a busy server waits for.
STATEMENT_SECONDS = 10.0
# A server with more of anything is not judged by the part that came first.
MOST_ROWS = 50_000
_PROVIDERS = (("rds", "rds.amazonaws.com"), ("azure", "database.azure.com"))


class AuditedMysql:
    """A Session of `connectors.security.check`, in one read-only transaction."""

    def __init__(self, session: mysql_session.Session, settings: SourceSettings) -> None:
        self._session = session
        version = session.version.removeprefix("5.5.5-")
        self.server = Server(
            MARIADB if session.is_mariadb else MYSQL,
            version,
            version_number(version),
            _flavour(settings.host or ""),
            settings.database,
            settings.user,
        )

    async def rows(self, statement: str) -> list[Row]:
        names, rows = await self._session.fetch_some(statement, None, MOST_ROWS + 1)
        if len(rows) > MOST_ROWS:
            raise StatementFailed(f"the server has more than {MOST_ROWS} rows of this, too many to judge")
        keys = [name.lower() for name in names]
        return [dict(zip(keys, map(_text_of, row), strict=True)) for row in rows]


@contextlib.asynccontextmanager
async def open_session(settings: SourceSettings) -> AsyncIterator[AuditedMysql]:
    """Raises ConnectorError with what kept it from being opened."""
    seconds = min(STATEMENT_SECONDS, settings.limits.statement_seconds)
    limited = replace(settings, limits=replace(settings.limits, statement_seconds=seconds))
    session = await mysql_session.open_session(limited)
    try:
        async with session.transaction():
            yield AuditedMysql(session, limited)
    finally:
        await session.end()


def _text_of(value: object) -> object:
    """Columns of the server's own tables come as bytes where their collation is binary."""
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else value


def _flavour(host: str) -> str | None:
    """A provider who manages the server, by the name of the host."""
    return next((name for name, end in _PROVIDERS if host.lower().rstrip(".").endswith(end)), None)
