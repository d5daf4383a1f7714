"""A session of an audit with a PostgreSQL server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from connectors.errors import SourceLost, StatementFailed, Unreachable
from connectors.postgresql_session import open_session as connect
from connectors.postgresql_session import telling
from connectors.security.check import Row, Server
from connectors.security.postgresql.statements import PROVIDERS
from connectors.settings import SourceSettings

# An audit must not be what a busy server waits for.
STATEMENT_SECONDS = 10.0
# The server ends a statement in its time; one that does not answer for so many times that long is not there.
_PATIENCE = 2
_SERVER = """
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
       current_database() AS database, current_user AS login,
       (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10) AS first_superuser
"""


class PostgresSession:
    """Statements one by one, each with the time limit that the connection was opened with."""

    def __init__(self, connection: Any, settings: SourceSettings, server: Server) -> None:
        self._connection = connection
        self._settings = settings
        self._server = server

    @property
    def server(self) -> Server:
        return self._server

    async def rows(self, statement: str) -> list[Row]:
        patience = _PATIENCE * self._settings.limits.statement_seconds
        try:
            with telling(self._settings):
                async with asyncio.timeout(patience) as waited:
                    return list(await self._connection.fetch(statement))
        except StatementFailed as error:
            # One that was closed while nothing ran is refused by the driver, not by the server.
            if self._connection.is_closed():
                raise SourceLost(f"the connection to {self._settings.host} broke: {error}") from error
            raise
        except Unreachable as error:
            if waited.expired():
                raise SourceLost(f"{self._settings.host} did not answer within {patience:g} s") from error
            raise


@contextlib.asynccontextmanager
async def open_session(settings: SourceSettings) -> AsyncIterator[PostgresSession]:
    """Read-only until the block ends; only the server's own functions and operators are found in it."""
    seconds = min(STATEMENT_SECONDS, settings.limits.statement_seconds)
    settings = replace(settings, limits=replace(settings.limits, statement_seconds=seconds))
    # Statements of an audit must not meet functions that somebody put before the server's own.
    connection = await connect(settings, {"search_path": "pg_catalog"})
    try:
        with telling(settings):
            facts = await connection.fetchrow(_SERVER)
        server = Server(
            product="postgresql",
            version_text=facts["version"],
            version_num=facts["number"],
            flavour=PROVIDERS.get(facts["first_superuser"]),
            database=facts["database"],
            user=facts["login"],
        )
        yield PostgresSession(connection, settings, server)
    finally:
        connection.terminate()
