"""The tables beside findings: what happened to each; they share the metadata of tables.py."""

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
