"""What the server as a whole counts: its write-ahead log, checkpoints, input and output, archiving, replication."""

from __future__ import annotations

from connectors.performance.figures import Level
from connectors.performance.postgresql.sections import Measure, Section, counter

_RESET = "extract(epoch FROM s.stats_reset)"
_MS = "/ 1000"

STANDING = Section(
    "server",
    Level.FAST,
    "(SELECT 1) one",
    (
        Measure("postgresql.uptime", "extract(epoch FROM server.at - pg_postmaster_start_time())", "s"),
        Measure("postgresql.in_recovery", "server.in_recovery::int"),
        counter("postgresql.wal.position", "server.lsn - '0/0'::pg_lsn", "By"),
        Measure(
            "postgresql.recovery.lag",
            """CASE WHEN NOT server.in_recovery THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE greatest(extract(epoch FROM server.at - pg_last_xact_replay_timestamp()), 0) END""",
            "s",
        ),
        Measure(
            "postgresql.recovery.lag.bytes",
            """CASE WHEN server.in_recovery
            THEN greatest(pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn(), 0) END""",
            "By",
        ),
    ),
)

WAL = Section(
    "wal",
    Level.MEDIUM,
    "pg_stat_wal s",
    (
        counter("postgresql.wal.records", "s.wal_records", "{records}"),
        counter("postgresql.wal.full_pages", "s.wal_fpi", "{pages}"),
        counter("postgresql.wal.bytes", "s.wal_bytes", "By"),
        counter("postgresql.wal.buffers_full", "s.wal_buffers_full", "{times}"),
    ),
    epoch=_RESET,
    versions=(14, 99),
)

WAL_FILES = Section(
    "wal.files",
    Level.SLOW,
    "pg_ls_waldir()",
    (Measure("postgresql.wal.size", "coalesce(sum(size), 0)", "By"),),
    grouped=True,
    may="has_function_privilege('pg_ls_waldir()', 'EXECUTE')",
)

_CHECKPOINTS_16 = Section(
    "checkpoints",
    Level.MEDIUM,
    "pg_stat_bgwriter s",
    (
        counter("postgresql.checkpoints.timed", "s.checkpoints_timed", "{checkpoints}"),
        counter("postgresql.checkpoints.requested", "s.checkpoints_req", "{checkpoints}"),
        counter("postgresql.checkpoints.write.time", f"s.checkpoint_write_time {_MS}", "s"),
        counter("postgresql.checkpoints.sync.time", f"s.checkpoint_sync_time {_MS}", "s"),
        counter("postgresql.checkpoints.buffers", "s.buffers_checkpoint", "{buffers}"),
        counter("postgresql.backends.buffers", "s.buffers_backend", "{buffers}"),
        counter("postgresql.backends.fsyncs", "s.buffers_backend_fsync", "{fsyncs}"),
    ),
    epoch=_RESET,
    versions=(0, 16),
)

_CHECKPOINTS_17 = Section(
    "checkpoints",
    Level.MEDIUM,
    "pg_stat_checkpointer s",
    (
        counter("postgresql.checkpoints.timed", "s.num_timed", "{checkpoints}"),
        counter("postgresql.checkpoints.requested", "s.num_requested", "{checkpoints}"),
        counter("postgresql.checkpoints.write.time", f"s.write_time {_MS}", "s"),
        counter("postgresql.checkpoints.sync.time", f"s.sync_time {_MS}", "s"),
        counter("postgresql.checkpoints.buffers", "s.buffers_written", "{buffers}"),
        counter("postgresql.restartpoints.timed", "s.restartpoints_timed", "{restartpoints}"),
        counter("postgresql.restartpoints.requested", "s.restartpoints_req", "{restartpoints}"),
        counter("postgresql.restartpoints.done", "s.restartpoints_done", "{restartpoints}"),
    ),
    epoch=_RESET,
    versions=(17, 99),
)

BACKGROUND_WRITER = Section(
    "background_writer",
    Level.MEDIUM,
    "pg_stat_bgwriter s",
    (
        counter("postgresql.background_writer.buffers", "s.buffers_clean", "{buffers}"),
        counter("postgresql.background_writer.stopped", "s.maxwritten_clean", "{times}"),
        counter("postgresql.buffers.allocated", "s.buffers_alloc", "{buffers}"),
    ),
    epoch=_RESET,
)

# What never happens is left out: most kinds of backends do little in most contexts. Bytes were told in blocks at first.
_IO_OF = "(s.reads > 0 OR s.writes > 0 OR s.extends > 0 OR s.fsyncs > 0 OR s.hits > 0)"
IO = Section(
    "io",
    Level.MEDIUM,
    f"pg_stat_io s WHERE {_IO_OF}",
    (
        counter("postgresql.io.reads", "s.reads", "{operations}"),
        counter("postgresql.io.read.bytes", "s.reads * s.op_bytes", "By", versions=(16, 17)),
        counter("postgresql.io.read.bytes", "s.read_bytes", "By", versions=(18, 99)),
        counter("postgresql.io.read.time", f"s.read_time {_MS}", "s"),
        counter("postgresql.io.writes", "s.writes", "{operations}"),
        counter("postgresql.io.write.bytes", "s.writes * s.op_bytes", "By", versions=(16, 17)),
        counter("postgresql.io.write.bytes", "s.write_bytes", "By", versions=(18, 99)),
        counter("postgresql.io.write.time", f"s.write_time {_MS}", "s"),
        counter("postgresql.io.extends", "s.extends", "{operations}"),
        counter("postgresql.io.hits", "s.hits", "{blocks}"),
        counter("postgresql.io.evictions", "s.evictions", "{blocks}"),
        counter("postgresql.io.fsyncs", "s.fsyncs", "{operations}"),
        counter("postgresql.io.fsync.time", f"s.fsync_time {_MS}", "s"),
    ),
    labels=(("backend", "s.backend_type"), ("object", "s.object"), ("context", "s.context")),
    epoch=_RESET,
    versions=(16, 99),
)

ARCHIVER = Section(
    "archiver",
    Level.MEDIUM,
    "pg_stat_archiver s",
    (
        counter("postgresql.archiver.archived", "s.archived_count", "{files}"),
        counter("postgresql.archiver.failed", "s.failed_count", "{files}"),
        Measure("postgresql.archiver.last_success.age", "extract(epoch FROM server.at - s.last_archived_time)", "s"),
        Measure("postgresql.archiver.last_failure.age", "extract(epoch FROM server.at - s.last_failed_time)", "s"),
    ),
    epoch=_RESET,
)

_STANDBY = "concat_ws('@', nullif(s.application_name, ''), host(s.client_addr))"


def _lag(kind: str) -> tuple[Measure, Measure]:
    return (
        Measure(f"postgresql.replication.{kind}.lag", f"coalesce(extract(epoch FROM max(s.{kind}_lag)), 0)", "s"),
        Measure(f"postgresql.replication.{kind}.lag.bytes", f"max(server.lsn - s.{kind}_lsn)", "By"),
    )


# Two standbys of one name and host are one here: the one that is farther behind.
STANDBYS = Section(
    "replication",
    Level.FAST,
    "pg_stat_replication s",
    (
        *_lag("write"),
        *_lag("flush"),
        *_lag("replay"),
        Measure("postgresql.replication.streaming", "min((s.state = 'streaming')::int)"),
    ),
    labels=(("standby", _STANDBY),),
    grouped=True,
    may="pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')",
)

SLOTS = Section(
    "slots",
    Level.FAST,
    "pg_replication_slots s WHERE NOT s.temporary",
    (
        Measure("postgresql.replication.slot.active", "s.active::int"),
        Measure("postgresql.replication.slot.retained", "greatest(server.lsn - s.restart_lsn, 0)", "By"),
        Measure("postgresql.replication.slot.lost", "(s.wal_status IS NOT DISTINCT FROM 'lost')::int"),
        Measure("postgresql.replication.slot.safe", "s.safe_wal_size", "By"),
        Measure(
            "postgresql.replication.slot.horizon_age",
            "greatest(age(s.xmin), age(s.catalog_xmin))",
            "{transactions}",
        ),
    ),
    labels=(("slot", "s.slot_name"),),
)

SECTIONS = (
    STANDING,
    WAL,
    WAL_FILES,
    _CHECKPOINTS_16,
    _CHECKPOINTS_17,
    BACKGROUND_WRITER,
    IO,
    ARCHIVER,
    STANDBYS,
    SLOTS,
)
