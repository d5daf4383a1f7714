"""The tables of what is governed; they share the metadata of tables.py."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# `settings` and `last_test` are JSON objects. `credentials` are sealed with the key that `key_id` tells (sealing.py).
data_sources = Table(
    "data_sources",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("description", Text),
    Column("settings", Text, nullable=False),
    Column("credentials", LargeBinary),
    Column("key_id", NAME),
    Column("owner", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("tested_at", Instant),
    Column("last_test", Text),
    sqlite_autoincrement=True,
)
# The name of a deleted source is free again.
Index(
    None,
    data_sources.c.workspace_id,
    data_sources.c.name,
    unique=True,
    sqlite_where=data_sources.c.deleted_at.is_(None),
    postgresql_where=data_sources.c.deleted_at.is_(None),
)
