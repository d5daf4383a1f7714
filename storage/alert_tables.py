"""The tables of alerts, of what makes them and of where they are sent; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# Who does what only one node may do. `number` counts the holders, so that a former one is told from the present one.
leases = Table(
    "leases",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("holder", NAME),
    Column("until", Instant),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# `spec` is JSON: the condition and how long it has to hold. No `source_id` stands for all sources of the workspace.
# `version` counts changes; alerts say of which version they are. A deleted rule stays for the alerts that name it.
alert_rules = Table(
    "alert_rules",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("domain", NAME, nullable=False),
    Column("name", Text, nullable=False),
    Column("source_id", BigInteger),
    Column("severity", NAME, nullable=False),
    Column("labels", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("runbook", Text),
    Column("enabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)

# Up to which batch the rules are evaluated over a source: written with what came of it.
alert_cursors = Table(
    "alert_cursors",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What is or was wrong. `domain` is performance or security, `fingerprint` a digest of what makes it the same alert.
# `state` is pending, firing, acknowledged or resolved; one that is not resolved is the only one of its fingerprint.
# `last_true_at`, `false_since` and `missing_since` are what the next evaluation has to know of those before it.
# `labels`, `evidence` and `suppressed_by` are JSON; `version` counts changes.
alerts = Table(
    "alerts",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("domain", NAME, nullable=False),
    Column("rule_id", BigInteger, ForeignKey("alert_rules.id", ondelete="CASCADE")),
    Column("rule_version", Integer),
    Column("source_id", BigInteger),
    Column("fingerprint", NAME, nullable=False),
    Column("name", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("severity", NAME, nullable=False),
    Column("state", NAME, nullable=False),
    Column("labels", Text, nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("evidence", Text, nullable=False),
    Column("runbook", Text),
    Column("pending_at", Instant, nullable=False),
    Column("fired_at", Instant),
    Column("last_true_at", Instant, nullable=False),
    Column("false_since", Instant),
    Column("missing_since", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", NAME),
    Column("acknowledged_until", Instant),
    Column("acknowledged_note", Text),
    Column("snoozed_until", Instant),
    Column("assignee", NAME),
    Column("suppressed_by", Text),
    Column("resolved_at", Instant),
    Column("resolved_reason", Text),
    Column("reopened", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "workspace_id", "id"),
    Index(None, "rule_id"),
    Index(None, "fingerprint", "id"),
    sqlite_autoincrement=True,
)
Index(
    "ix_alerts_open",
    alerts.c.workspace_id,
    alerts.c.domain,
    alerts.c.fingerprint,
    unique=True,
    sqlite_where=alerts.c.resolved_at.is_(None),
    postgresql_where=alerts.c.resolved_at.is_(None),
)

# What happened to an alert, and what was said of it. `kind` is the event's: alert.fired, alert.commented, …
alert_history = Table(
    "alert_history",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("alert_id", ROW_ID, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("actor", NAME),
    Column("state", NAME, nullable=False),
    Column("value", Float),
    Column("note", Text),
    Index(None, "alert_id", "id"),
    sqlite_autoincrement=True,
)

# What must not notify: once from `starts_at` to `ends_at`, or each time that `cron` says, for so many seconds.
alert_silences = Table(
    "alert_silences",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("matchers", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("cron", Text),
    Column("time_zone", Text),
    Column("seconds", Integer),
    Column("comment", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", NAME),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)

# Where alerts go. The first of a workspace that matches takes an alert, and the next ones too if `goes_on`.
alert_routes = Table(
    "alert_routes",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("matchers", Text, nullable=False),
    Column("receivers", Text, nullable=False),
    Column("group_by", Text, nullable=False),
    Column("group_wait_seconds", Integer, nullable=False),
    Column("group_interval_seconds", Integer, nullable=False),
    Column("repeat_interval_seconds", Integer, nullable=False),
    Column("goes_on", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "workspace_id", "position"),
    sqlite_autoincrement=True,
)

# While an alert that matches `source` fires, those that match `target` and have the same labels of `equal` are silent.
alert_inhibitions = Table(
    "alert_inhibitions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("equal", Text, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)

# What has been sent of a group of a route, and when there is more to send. The route 0 is the one of workspaces that
# have none. `sent` is JSON: what was told of which alerts; `number` counts the messages.
alert_groups = Table(
    "alert_groups",
    metadata,
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("route_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", NAME, primary_key=True),
    Column("labels", Text, nullable=False),
    Column("due_at", Instant, index=True),
    Column("sent_at", Instant),
    Column("sent", Text, nullable=False),
    Column("number", Integer, nullable=False),
    sqlite_with_rowid=False,
)
