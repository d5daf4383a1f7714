"""The table of access policies; it shares the metadata of tables.py."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from storage.tables import NAME, ROW_ID, Instant, metadata

# What some people do not see of a workspace's datasets. `source_id` and `dataset` (a glob pattern of whole names) are
# null where all are meant; `body` is JSON and says of which columns and rows, for whom, and how.
access_policies = Table(
    "access_policies",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), index=True),
    Column("dataset", Text),
    Column("priority", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("workspace_id", "name"),
    sqlite_autoincrement=True,
)
