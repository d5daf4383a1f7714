"""Who is connected, what they wait for, how long transactions are open, and what is under way."""

from __future__ import annotations

from connectors.performance.figures import Level
from connectors.performance.postgresql.sections import Measure, Section

_SEES_OTHERS = "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
_CLIENTS = "backend_type = 'client backend'"
_STATES = (
    "active",
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "fastpath function call",
    "disabled",
    "starting",
)
_WAITS = ("Activity", "BufferPin", "Client", "Extension", "InjectionPoint", "IO", "IPC", "Lock", "LWLock", "Timeout")
_LOCKS = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
    "SIReadLock",
)


def _oldest(moment: str, condition: str) -> str:
    """Seconds since the earliest moment of client sessions, 0 where there is none."""
    earliest = f"min({moment}) FILTER (WHERE {condition} AND {_CLIENTS})"
    return f"coalesce(greatest(extract(epoch FROM clock_timestamp() - {earliest}), 0), 0)"


SESSIONS = Section(
    "sessions",
    Level.FAST,
    "activity",
    (
        Measure("postgresql.connections", f"count(*) FILTER (WHERE {_CLIENTS})", "{sessions}"),
        Measure("postgresql.connections.max", "current_setting('max_connections')::int", "{sessions}"),
        Measure(
            "postgresql.connections.used",
            f"count(*) FILTER (WHERE {_CLIENTS}) / current_setting('max_connections')::float8",
            "1",
        ),
    ),
    grouped=True,
)

# Without the right to see others' sessions their state is unknown, and counting would find nobody at work.
STATES = Section(
    "sessions.states",
    Level.FAST,
    "activity",
    (
        *(
            Measure(
                "postgresql.sessions",
                f"count(*) FILTER (WHERE state = '{state}' AND {_CLIENTS})",
                "{sessions}",
                labels=(("state", state),),
            )
            for state in _STATES
        ),
        *(
            Measure(
                "postgresql.sessions.waiting",
                f"count(*) FILTER (WHERE state = 'active' AND wait_event_type = '{wait}' AND {_CLIENTS})",
                "{sessions}",
                labels=(("wait", wait),),
            )
            for wait in _WAITS
        ),
        Measure(
            "postgresql.sessions.running",
            f"count(*) FILTER (WHERE state = 'active' AND wait_event_type IS NULL AND {_CLIENTS})",
            "{sessions}",
        ),
        Measure("postgresql.sessions.blocked", "count(*) FILTER (WHERE wait_event_type = 'Lock')", "{sessions}"),
        Measure("postgresql.transactions.oldest", _oldest("xact_start", "TRUE"), "s"),
        Measure(
            "postgresql.transactions.oldest_idle",
            _oldest("state_change", "state LIKE 'idle in transaction%'"),
            "s",
        ),
        Measure("postgresql.statements.oldest", _oldest("query_start", "state = 'active'"), "s"),
        Measure("postgresql.transactions.horizon_age", "coalesce(max(age(backend_xmin)), 0)", "{transactions}"),
    ),
    grouped=True,
    may=_SEES_OTHERS,
)

EVENTS = Section(
    "sessions.events",
    Level.FAST,
    f"activity WHERE state = 'active' AND wait_event IS NOT NULL AND {_CLIENTS}",
    (Measure("postgresql.sessions.events", "count(*)", "{sessions}"),),
    labels=(("wait", "wait_event_type"), ("event", "wait_event")),
    grouped=True,
    lasting=True,
    may=_SEES_OTHERS,
)

LOCKS = Section(
    "locks",
    Level.MEDIUM,
    "pg_locks WHERE pid IS DISTINCT FROM pg_backend_pid()",
    (
        *(
            Measure(
                "postgresql.locks",
                f"count(*) FILTER (WHERE mode = '{mode}' AND granted)",
                "{locks}",
                labels=(("mode", mode),),
            )
            for mode in _LOCKS
        ),
        Measure("postgresql.locks.waiting", "count(*) FILTER (WHERE NOT granted)", "{locks}"),
        Measure("postgresql.prepared_transactions", "(SELECT count(*) FROM pg_prepared_xacts)", "{transactions}"),
    ),
    grouped=True,
)


def _progress(name: str, done: str, total: str) -> Section:
    """How much of what is under way is done; nothing while nothing is."""
    return Section(
        f"progress.{name}",
        Level.FAST,
        f"""pg_stat_progress_{name} p LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database()""",
        (Measure("postgresql.progress", f"max({done}::float8 / nullif({total}, 0))", "1", labels=(("work", name),)),),
        labels=(("relation", "coalesce(c.relname, p.relid::text)"),),
        grouped=True,
    )


PROGRESS = (
    _progress("vacuum", "p.heap_blks_scanned", "p.heap_blks_total"),
    _progress("create_index", "p.blocks_done", "p.blocks_total"),
    _progress("analyze", "p.sample_blks_scanned", "p.sample_blks_total"),
)

SECTIONS = (SESSIONS, STATES, EVENTS, LOCKS, *PROGRESS)
