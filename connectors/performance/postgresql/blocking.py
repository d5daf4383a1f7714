"""Who waits for whose locks. Nobody waiting, it costs the server a look at its sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.performance.clock import SourceClock
from connectors.performance.figures import Blocking, Unsupported, WaitingSession
from connectors.performance.literals import without_literals
from connectors.performance.postgresql.session import Session

# What an account without rights to others' sessions still sees: their locks.
_WAITING_SEEN = "SELECT pid FROM pg_stat_get_activity(NULL) WHERE wait_event_type = 'Lock'"
_WAITING_UNSEEN = "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid IS NOT NULL"
_MS = "(extract(epoch FROM {}) * 1000)::int8"
# More would be no help to anybody, and pg_blocking_pids stops the lock table for each.
_MOST = 200

_SQL = """
WITH waiting AS MATERIALIZED (
    SELECT pid, pg_blocking_pids(pid) AS blockers FROM ({waiting} LIMIT {most}) w
), concerned AS (
    SELECT pid FROM waiting UNION SELECT unnest(blockers) FROM waiting
), locks AS MATERIALIZED (
    SELECT DISTINCT ON (pid) pid, mode, locktype, relation, database, {since} AS since
    FROM pg_locks WHERE EXISTS (SELECT FROM waiting) AND NOT granted ORDER BY pid
)
SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::int8 AS at_us, c.pid, w.blockers, a.usename, d.datname,
       a.application_name, host(a.client_addr) AS client, a.state, concat_ws(':', a.wait_event_type, a.wait_event)
       AS wait, l.mode, l.locktype, coalesce(r.relname, l.relation::text) AS relation, n.nspname AS schema,
       {ms_since} AS since_ms, {ms_transaction} AS transaction_ms, {ms_statement} AS statement_ms,
       a.query, c.pid = 0 AS is_prepared
FROM (SELECT) always LEFT JOIN concerned c ON true LEFT JOIN waiting w USING (pid)
LEFT JOIN pg_stat_activity a USING (pid) LEFT JOIN locks l USING (pid)
LEFT JOIN pg_database d ON d.oid = coalesce(a.datid, l.database)
LEFT JOIN pg_class r ON r.oid = l.relation AND d.datname = current_database()
LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
"""
_HIDDEN = "<insufficient privilege>"


def blocking_sql(session: Session) -> str:
    since = "waitstart" if session.facts.version >= 14 else "NULL::timestamptz"
    return _SQL.format(
        waiting=_WAITING_SEEN if session.facts.sees_others else _WAITING_UNSEEN,
        most=_MOST,
        since=since,
        ms_since=_MS.format("coalesce(l.since, CASE WHEN l.pid IS NOT NULL THEN a.query_start END)"),
        ms_transaction=_MS.format("a.xact_start"),
        ms_statement=_MS.format("a.query_start"),
    )


async def blocking(session: Session, sql: str, clock: SourceClock, now: Callable[[], float]) -> Blocking:
    """`sql` is that of `blocking_sql`, `now` our clock in s since 1970."""
    asked_ms, started = now() * 1000, time.perf_counter()
    rows = await session.rows(sql)
    answered_ms = asked_ms + (time.perf_counter() - started) * 1000
    source_ms = rows[0]["at_us"] / 1000
    at_ms = clock.ours(source_ms, asked_ms, answered_ms)
    ahead = at_ms - source_ms
    return Blocking(at_ms, _sessions(rows, ahead), _unsupported(session))


def _sessions(rows: Sequence[Mapping[str, Any]], ahead_ms: float) -> list[WaitingSession]:
    return [_session(row, ahead_ms) for row in rows if row["pid"] is not None]


def _session(row: Mapping[str, Any], ahead_ms: float) -> WaitingSession:
    def ours(name: str) -> int | None:
        return None if row[name] is None else round(row[name] + ahead_ms)

    text = None if row["query"] in (None, "", _HIDDEN) else row["query"]
    return WaitingSession(
        id=str(row["pid"]),
        blocked_by=tuple(dict.fromkeys(str(pid) for pid in row["blockers"] or ())),
        user=row["usename"],
        database=row["datname"],
        application=row["application_name"] or None,
        client=row["client"],
        state="prepared transaction" if row["is_prepared"] else row["state"],
        wait=row["wait"] or None,
        lock=row["mode"],
        on=_locked(row),
        waiting_since_ms=ours("since_ms") if row["blockers"] else None,
        transaction_since_ms=ours("transaction_ms"),
        statement_since_ms=ours("statement_ms"),
        statement=text,
        normalised=None if text is None else without_literals(text),
    )


def _locked(row: Mapping[str, Any]) -> str | None:
    """What is waited for: a table, or the end of a transaction that changed the same row."""
    if row["locktype"] is None:
        return None
    name = ".".join(part for part in (row["schema"], row["relation"]) if part)
    return f"{row['locktype']} {name}".strip()


def _unsupported(session: Session) -> list[Unsupported]:
    if session.facts.sees_others:
        return []
    reason = f"the user {session.settings.user!r} sees who waits for whom, but not the statements of others"
    return [Unsupported("blocking.statements", reason, session.facts.grant)]
