"""A session that looks at a PostgreSQL server: its own connection, what the account may see, and who answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import asyncpg  # type: ignore[import-untyped]

from connectors.performance.figures import Unsupported
from connectors.performance.postgresql.sections import Section
from connectors.postgresql_session import open_session, telling
from connectors.settings import SourceSettings
from connectors.sql_text import quoted

APPLICATION = "collab-studio monitor"
STATEMENT_SECONDS = 5.0
# The server's own timeout comes first, unless it is gone.
_GRACE_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
_PARAMETERS = {
    "application_name": APPLICATION,
    # Whoever waits for a lock holds up others that wait behind.
    "lock_timeout": "100",
    # Compiling our statements takes longer than executing them, and what they take must not grow.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_generic_plan",
}
_FACTS = """
SELECT current_setting('server_version_num')::int / 10000 AS version, current_database() AS database,
       pg_backend_pid() AS pid, (SELECT oid::int8 FROM pg_database WHERE datname = current_database()) AS oid,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_others,
       (SELECT count(*) FROM pg_database WHERE datallowconn AND NOT datistemplate) AS databases
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a server and of the account for as long as the session lasts."""

    version: int
    database: str
    database_oid: int
    databases: int
    sees_others: bool
    is_pooled: bool
    grant: str


class Session:
    """One connection. Methods raise ConnectorError."""

    def __init__(self, settings: SourceSettings, connection: Any, facts: Facts) -> None:
        self.settings = settings
        self.facts = facts
        self._connection = connection
        self._prepared: dict[str, Any] = {}
        self._patience = settings.limits.statement_seconds + _GRACE_SECONDS

    @classmethod
    async def open(cls, settings: SourceSettings) -> Self:
        seconds = min(settings.limits.statement_seconds, STATEMENT_SECONDS)
        settings = replace(settings, limits=replace(settings.limits, statement_seconds=seconds))
        connection = await open_session(settings, _PARAMETERS)
        try:
            with telling(settings):
                row = await connection.fetchrow(_FACTS, timeout=seconds + _GRACE_SECONDS)
        except BaseException:
            connection.terminate()
            raise
        grant = f"GRANT pg_monitor TO {quoted(settings.user or '')};"
        # A pooler tells a number of its own when one signs in.
        is_pooled = row["pid"] != connection.get_server_pid()
        facts = Facts(
            row["version"], row["database"], row["oid"], row["databases"], row["sees_others"], is_pooled, grant
        )
        return cls(settings, connection, facts)

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    def terminate(self) -> None:
        self._connection.terminate()

    async def close(self) -> None:
        """Says goodbye, if the server still listens."""
        try:
            await self._connection.close(timeout=_CLOSE_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            self._connection.terminate()

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Mapping[str, Any]]:
        """The rows of a statement that is kept prepared: for few different ones."""
        with telling(self.settings):
            statement = self._prepared.get(sql)
            if statement is None:
                # One without a name is parsed and planned at each execution; a pooler knows no names of others.
                name = None if self.facts.is_pooled else f"collab_studio_{len(self._prepared)}"
                statement = await self._connection.prepare(sql, name=name, timeout=self._patience)
                self._prepared[sql] = statement
            rows: Sequence[Mapping[str, Any]] = await statement.fetch(*arguments, timeout=self._patience)
            return rows

    async def once(self, sql: str, *arguments: Any) -> Sequence[Mapping[str, Any]]:
        """The rows of a statement that does not come back soon."""
        with telling(self.settings):
            rows: Sequence[Mapping[str, Any]] = await self._connection.fetch(sql, *arguments, timeout=self._patience)
            return rows

    async def readable(self, sections: Iterable[Section]) -> tuple[list[Section], list[Unsupported]]:
        """Of the sections, those that this server has and the account may read; and what it may not."""
        there = [found for section in sections if (found := section.of_version(self.facts.version)) is not None]
        asked = [section for section in there if section.may is not None]
        if not asked:
            return there, []
        [row] = await self.once(f"SELECT {', '.join(f'({section.may})' for section in asked)}")
        refused = [section for section, may in zip(asked, row.values(), strict=True) if not may]
        user = self.settings.user
        return [section for section in there if section not in refused], [
            Unsupported(section.name, f"the user {user!r} may not see it", self.facts.grant) for section in refused
        ]
