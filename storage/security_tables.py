"""The tables of security audits and of what they found; they share the metadata of tables.py."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from storage.tables import NAME, ROW_ID, Instant, metadata

# An audit of one source. `options` and `summary` are JSON. `state` is null until it has ended; before that, the run's
# state tells it. A run may audit several sources.
security_scans = Table(
    "security_scans",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", NAME, nullable=False),
    Column("options", Text, nullable=False),
    Column("state", NAME),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("summary", Text),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    UniqueConstraint("run_id", "source_id"),
    Index(None, "workspace_id", "id"),
    Index(None, "source_id", "id"),
    sqlite_autoincrement=True,
)
# Two audits of one source at once would write each other's findings.
Index(
    "ix_security_scans_unfinished",
    security_scans.c.source_id,
    unique=True,
    sqlite_where=security_scans.c.finished_at.is_(None),
    postgresql_where=security_scans.c.finished_at.is_(None),
)

# What came of each check, in the order of the catalogue. `body` is JSON.
security_results = Table(
    "security_results",
    metadata,
    Column("scan_id", ROW_ID, ForeignKey("security_scans.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("check_id", NAME, nullable=False),
    Column("outcome", NAME, nullable=False),
    Column("reason", Text),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What is or was wrong with a source. `change` is what audit `changed_scan_id` last did to it: new, reopened or fixed;
# 0 where no audit did, but a data policy.
# `evidence` is JSON. `accepted_until` null is without an end. `in_baseline`: it was there when somebody said so.
# `exception_id` is the exception by which it is accepted, if it is one.
security_findings = Table(
    "security_findings",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("fingerprint", NAME, nullable=False),
    Column("check_id", NAME, nullable=False),
    Column("title", Text, nullable=False),
    Column("category", NAME, nullable=False),
    Column("severity", NAME, nullable=False),
    Column("object", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("remediation", Text, nullable=False),
    Column("state", NAME, nullable=False),
    Column("change", NAME, nullable=False),
    Column("changed_scan_id", ROW_ID, nullable=False),
    Column("in_baseline", Boolean, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("reopened", Integer, nullable=False),
    Column("decided_by", NAME),
    Column("decided_at", Instant),
    Column("accepted_until", Instant),
    Column("note", Text),
    Column("exception_id", ROW_ID),
    UniqueConstraint("source_id", "fingerprint"),
    Index(None, "workspace_id", "id"),
    Index(None, "state", "accepted_until"),
    sqlite_autoincrement=True,
)

# The audit whose findings a source is compared with.
security_baselines = Table(
    "security_baselines",
    metadata,
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("scan_id", ROW_ID, nullable=False),
    Column("set_by", NAME, nullable=False),
    Column("set_at", Instant, nullable=False),
)
