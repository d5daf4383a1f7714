"""What the server counts of each database, its size, and how far its transaction ids are from their end."""

from __future__ import annotations

from connectors.performance.figures import Level
from connectors.performance.postgresql.sections import Measure, Section, counter

# Of a server with very many databases, the connected one and the oldest: which these are does not change.
SHOWN = 50
_SHOWN = f"""(SELECT oid, datname FROM pg_database WHERE datallowconn AND NOT datistemplate
    ORDER BY datname <> current_database(), oid LIMIT {SHOWN}) d"""  # noqa: S608 - ours
_MS = "/ 1000"
_ID_LIMIT = 2**31

DATABASES = Section(
    "database",
    Level.FAST,
    f"{_SHOWN} JOIN pg_stat_database s ON s.datid = d.oid",
    (
        counter("postgresql.commits", "s.xact_commit", "{transactions}"),
        counter("postgresql.rollbacks", "s.xact_rollback", "{transactions}"),
        counter("postgresql.blocks.read", "s.blks_read", "{blocks}"),
        counter("postgresql.blocks.hit", "s.blks_hit", "{blocks}"),
        counter("postgresql.rows.returned", "s.tup_returned", "{rows}"),
        counter("postgresql.rows.fetched", "s.tup_fetched", "{rows}"),
        counter("postgresql.rows.inserted", "s.tup_inserted", "{rows}"),
        counter("postgresql.rows.updated", "s.tup_updated", "{rows}"),
        counter("postgresql.rows.deleted", "s.tup_deleted", "{rows}"),
        counter("postgresql.conflicts", "s.conflicts", "{queries}"),
        counter("postgresql.temp.files", "s.temp_files", "{files}"),
        counter("postgresql.temp.bytes", "s.temp_bytes", "By"),
        counter("postgresql.deadlocks", "s.deadlocks", "{deadlocks}"),
        counter("postgresql.checksum.failures", "s.checksum_failures", "{blocks}"),
        counter("postgresql.blocks.read.time", f"s.blk_read_time {_MS}", "s"),
        counter("postgresql.blocks.write.time", f"s.blk_write_time {_MS}", "s"),
        counter("postgresql.sessions.time", f"s.session_time {_MS}", "s", versions=(14, 99)),
        counter("postgresql.sessions.active.time", f"s.active_time {_MS}", "s", versions=(14, 99)),
        counter(
            "postgresql.sessions.idle_in_transaction.time", f"s.idle_in_transaction_time {_MS}", "s", versions=(14, 99)
        ),
        counter("postgresql.sessions.begun", "s.sessions", "{sessions}", versions=(14, 99)),
        counter("postgresql.sessions.abandoned", "s.sessions_abandoned", "{sessions}", versions=(14, 99)),
        counter("postgresql.sessions.fatal", "s.sessions_fatal", "{sessions}", versions=(14, 99)),
        counter("postgresql.sessions.killed", "s.sessions_killed", "{sessions}", versions=(14, 99)),
        Measure("postgresql.backends", "s.numbackends", "{sessions}"),
    ),
    labels=(("database", "d.datname"),),
    # A database of the same name is another one after it was dropped and made anew.
    epoch="concat_ws('/', d.oid, extract(epoch FROM s.stats_reset))",
)

# Other sessions may hold locks that stand in the way, but none on a whole database's files.
SIZES = Section(
    "database.size",
    Level.SLOW,
    f"""{_SHOWN} WHERE has_database_privilege(d.oid, 'CONNECT')
        OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')""",
    (Measure("postgresql.database.size", "pg_database_size(d.oid)", "By"),),
    labels=(("database", "d.datname"),),
)

WRAPAROUND = Section(
    "database.ids",
    Level.SLOW,
    f"{_SHOWN} JOIN pg_database w USING (oid)",
    (
        Measure("postgresql.transaction_ids.age", "age(w.datfrozenxid)", "{transactions}"),
        Measure("postgresql.transaction_ids.used", f"age(w.datfrozenxid) / {_ID_LIMIT}.0", "1"),
        Measure("postgresql.multixact_ids.age", "mxid_age(w.datminmxid)", "{transactions}"),
        Measure("postgresql.multixact_ids.used", f"mxid_age(w.datminmxid) / {_ID_LIMIT}.0", "1"),
    ),
    labels=(("database", "d.datname"),),
)

SECTIONS = (DATABASES, SIZES, WRAPAROUND)
