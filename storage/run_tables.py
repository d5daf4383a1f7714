"""The tables of durable runs and of what starts them by the clock. See tables.py for what holds for all tables."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# One of `cron` (with `time_zone`) and `every_seconds` is set. `next_run_at` is null while nothing is due by the clock.
schedules = Table(
    "schedules",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("job", NAME, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("cron", Text),
    Column("time_zone", NAME),
    Column("every_seconds", BigInteger),
    Column("missed", NAME, nullable=False),
    Column("overlap", NAME, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("next_run_at", Instant),
    Column("last_run_id", NAME),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)
Index(
    None,
    schedules.c.next_run_at,
    sqlite_where=schedules.c.next_run_at.is_not(None),
    postgresql_where=schedules.c.next_run_at.is_not(None),
)

# `attempt` counts how often the run was begun: what an attempt writes that is not the newest is not taken. `losses`
# counts how many processes died under it.
runs = Table(
    "runs",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("job", NAME, nullable=False),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE")),
    Column("arguments", Text, nullable=False),
    Column("schedule_id", ROW_ID, ForeignKey("schedules.id", ondelete="SET NULL")),
    Column("due_at", Instant),
    Column("state", NAME, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("node_id", NAME),
    Column("attempt", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("done", BigInteger),
    Column("total", BigInteger),
    Column("note", Text),
    Column("result", Text),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("parent_id", NAME),
    Index(None, "workspace_id", "created_at", "id"),
    Index(None, "schedule_id", "created_at", "id"),
    Index(None, "finished_at"),
)
Index(
    "ix_runs_unfinished",
    runs.c.state,
    sqlite_where=runs.c.finished_at.is_(None),
    postgresql_where=runs.c.finished_at.is_(None),
)

Index(
    None,
    runs.c.parent_id,
    sqlite_where=runs.c.parent_id.is_not(None),
    postgresql_where=runs.c.parent_id.is_not(None),
)

# What runs wait for: until `expires_at`, if that is set, or until there is an answer.
run_signals = Table(
    "run_signals",
    metadata,
    Column("run_id", NAME, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("topic", NAME, primary_key=True),
    Column("expires_at", Instant),
    Column("answer", Text),
)

# The processes that execute runs. `beat` grows while one is alive; `has_left` says that it stopped in order.
executors = Table(
    "executors",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("beat", BigInteger, nullable=False),
    Column("has_left", Boolean, nullable=False),
)
