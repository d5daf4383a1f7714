"""The tables of threat detection; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# What is remembered of a stream of events. `scope` is `source:<id>`, or `workspace:<id>` or `server` for what the audit
# trail tells of one workspace or of the whole server. `settings` is JSON, `state` packed; at `due_at` what waits for
# later events waits no longer.
detection_streams = Table(
    "detection_streams",
    metadata,
    Column("scope", NAME, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE")),
    Column("settings", Text, nullable=False),
    Column("state", LargeBinary),
    Column("due_at", Instant, index=True),
    Column("updated_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# What is behind an alert that a detection raised; `body` is JSON, `actor` of whom nothing is learnt while it is open.
detection_alerts = Table(
    "detection_alerts",
    metadata,
    Column("alert_id", ROW_ID, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("scope", NAME, nullable=False),
    Column("actor", NAME, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "scope"),
)

# How far the audit trail was looked at: the id and the hash of the newest row of it that was.
trail_positions = Table(
    "trail_positions",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("audit_id", BigInteger, nullable=False),
    Column("audit_hash", String(64), nullable=False),
    sqlite_with_rowid=False,
)
