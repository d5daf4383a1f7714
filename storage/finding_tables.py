"""The tables beside findings: what happened to each, what is excepted; they share the metadata of tables.py."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# What happened to a finding, one row each time. `scan_id` is the audit that did it, `actor` who did. `details` is JSON:
# what is different now.
security_finding_history = Table(
    "security_finding_history",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("finding_id", ROW_ID, ForeignKey("security_findings.id", ondelete="CASCADE"), nullable=False),
    Column("kind", NAME, nullable=False),
    Column("at", Instant, nullable=False),
    Column("scan_id", ROW_ID),
    Column("actor", NAME),
    Column("note", Text),
    Column("details", Text),
    Index(None, "finding_id", "id"),
    sqlite_autoincrement=True,
)

# Findings that are accepted before they are found: those of checks and objects whose names match, of one source or of
# all in the workspace, until `ends_at` or until somebody ended it.
security_exceptions = Table(
    "security_exceptions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE")),
    Column("checks", Text, nullable=False),
    Column("objects", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("owner", NAME, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", NAME),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)
