"""What each statement came to, out of pg_stat_statements: numbers without texts, and a text once for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from connectors.performance.clock import SourceClock
from connectors.performance.figures import StatementSnapshot, StatementText, Unsupported
from connectors.performance.literals import without_literals
from connectors.performance.postgresql.session import Session
from connectors.sql_text import quoted

WHAT = "statements"
LONGEST_TEXT = 20_000
_MISSING = "pg_stat_statements is not installed in this database"
_INSTALL = "CREATE EXTENSION pg_stat_statements;"
_PRELOAD = (
    "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; -- beside what is loaded already; then restart"
)

_EXTENSION = """
SELECT n.nspname AS schema, p.proargnames AS columns, current_setting('shared_preload_libraries', true) AS libraries,
       EXISTS (SELECT FROM pg_proc WHERE proname = 'pg_stat_statements_info' AND pronamespace = n.oid) AS has_info
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'pg_stat_statements'
WHERE e.extname = 'pg_stat_statements'
"""

# What each figure is a sum of, in the names of the extension's versions; none of them there: it is left out.
_COUNTERS: tuple[tuple[str, tuple[tuple[str, ...], ...], str], ...] = (
    ("calls", (("calls",),), ""),
    ("seconds", (("total_exec_time",), ("total_time",)), " / 1000"),
    ("rows", (("rows",),), ""),
    ("planning_seconds", (("total_plan_time",),), " / 1000"),
    ("blocks_hit", (("shared_blks_hit",),), ""),
    ("blocks_read", (("shared_blks_read",),), ""),
    ("blocks_dirtied", (("shared_blks_dirtied",),), ""),
    ("blocks_written", (("shared_blks_written",),), ""),
    ("temp_blocks_read", (("temp_blks_read",),), ""),
    ("temp_blocks_written", (("temp_blks_written",),), ""),
    ("read_seconds", (("shared_blk_read_time", "local_blk_read_time"), ("blk_read_time",)), " / 1000"),
    ("write_seconds", (("shared_blk_write_time", "local_blk_write_time"), ("blk_write_time",)), " / 1000"),
    ("wal_bytes", (("wal_bytes",),), ""),
)
_MICROSECONDS = "(extract(epoch FROM {}) * 1e6)::int8"


class _Key(NamedTuple):
    user: int
    database: int
    query: int
    is_top: bool

    def __str__(self) -> str:
        # It stands in addresses.
        return f"{self.user}.{self.database}.{self.query}.{'top' if self.is_top else 'nested'}"


def _parsed(text: str) -> _Key | None:
    parts = text.split(".")
    try:
        user, database, query = (int(part) for part in parts[:3])
    except ValueError:
        return None
    return _Key(user, database, query, parts[3:] == ["top"])


class Statements:
    """The statements of one session; `found` looks for the extension."""

    def __init__(self, session: Session, schema: str, columns: Sequence[str], *, has_info: bool) -> None:
        self._session = session
        self._function = f"{quoted(schema)}.pg_stat_statements"
        self._columns = frozenset(columns)
        self._has_info = has_info
        self._names, self._sql = self._snapshot_sql()

    @classmethod
    async def found(cls, session: Session) -> Statements | Unsupported:
        if not session.facts.sees_others:
            reason = f"the user {session.settings.user!r} sees no statements but its own"
            return Unsupported(WHAT, reason, session.facts.grant)
        rows = await session.once(_EXTENSION)
        if not rows:
            return Unsupported(WHAT, _MISSING, f"{_INSTALL} {_PRELOAD}")
        [row] = rows
        if row["libraries"] is not None and "pg_stat_statements" not in row["libraries"]:
            return Unsupported(WHAT, "pg_stat_statements is installed, but the server does not load it", _PRELOAD)
        return cls(session, row["schema"], row["columns"], has_info=row["has_info"])

    async def snapshot(self, clock: SourceClock, now: Callable[[], float]) -> StatementSnapshot:
        """`now` is our clock in s since 1970."""
        asked_ms, started = now() * 1000, time.perf_counter()
        [row] = await self._session.rows(self._sql)
        seconds = time.perf_counter() - started
        at_us, epoch, evicted, *lines = row.values()
        # Aggregates of nothing are NULL.
        users, databases, queries, tops, names, roles, since, *columns = (line or [] for line in lines)
        return StatementSnapshot(
            at_ms=clock.ours(at_us / 1000, asked_ms, asked_ms + seconds * 1000),
            epoch=epoch,
            keys=[str(_Key(*key)) for key in zip(users, databases, queries, tops, strict=True)],
            names=self._names,
            counters=np.array(columns, np.float64).T,
            since=np.array(since, np.int64),
            databases=names,
            users=roles,
            evicted=evicted,
            seconds=seconds,
        )

    async def texts(self, keys: Sequence[str]) -> dict[str, StatementText]:
        wanted = {key: parsed for key in keys if (parsed := _parsed(key)) is not None}
        top = "toplevel" if "toplevel" in self._columns else "true"
        sql = f"""SELECT userid::int8, dbid::int8, queryid, {top} AS top, left(query, {LONGEST_TEXT}) AS query
            FROM {self._function}(true) WHERE queryid = ANY($1::int8[])"""  # noqa: S608 - quoted
        rows = await self._session.once(sql, [key.query for key in wanted.values()])
        texts = {
            str(_Key(row["userid"], row["dbid"], row["queryid"], row["top"])): row["query"]
            for row in rows
            if row["query"]
        }
        return {key: StatementText(texts[key], without_literals(texts[key])) for key in wanted if key in texts}

    def _snapshot_sql(self) -> tuple[tuple[str, ...], str]:
        counters = {
            name: f"({' + '.join(found)}){factor}"
            for name, choices, factor in _COUNTERS
            if (found := next((choice for choice in choices if self._columns.issuperset(choice)), None))
        }
        since = _MICROSECONDS.format("s.stats_since") if "stats_since" in self._columns else "0::int8"
        top = "s.toplevel" if "toplevel" in self._columns else "true"
        columns = [
            "s.userid::int8",
            "s.dbid::int8",
            "s.queryid",
            top,
            "coalesce(d.datname::text, '')",
            "pg_get_userbyid(s.userid)::text",
            since,
            *(f"{sql}::float8" for sql in counters.values()),
        ]
        info = f"(SELECT {{}} FROM {self._function}_info)" if self._has_info else "NULL"  # noqa: S608 - quoted
        reset = info.format("extract(epoch FROM stats_reset)")
        sql = f"""SELECT {_MICROSECONDS.format("clock_timestamp()")} AS at_us,
                concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                          extract(epoch FROM pg_postmaster_start_time()), {reset}) AS epoch,
                {info.format("dealloc")}::int8 AS evicted, lines.*
            FROM (SELECT {", ".join(f"array_agg({column})" for column in columns)}
                  FROM {self._function}(false) s LEFT JOIN pg_database d ON d.oid = s.dbid
                  WHERE s.queryid IS NOT NULL) lines"""  # noqa: S608 - quoted
        return tuple(counters), sql

    async def text_of(self, key: str) -> tuple[int, str] | None:
        """The database's oid and the text of one statement."""
        parsed = _parsed(key)
        if parsed is None:
            return None
        found = (await self.texts([key])).get(key)
        return (parsed.database, found.text) if found is not None else None
