"""The tables of analyses of datasets; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, LargeBinary, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# What an analysis came to. `key` is a digest of what was asked, `version` of the content it was asked of; `parameters`
# and `body` are JSON, the latter compressed by zlib. `state` says whether all of it could be computed.
analytics_results = Table(
    "analytics_results",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("dataset_id", ROW_ID, ForeignKey("catalog_datasets.id", ondelete="CASCADE"), nullable=False),
    Column("kind", NAME, nullable=False),
    Column("key", NAME, nullable=False),
    Column("version", NAME, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("state", NAME, nullable=False),
    Column("findings", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "dataset_id", "key", "version", "id"),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)

# What people say of a finding, by what it is about: it holds for whatever later analysis finds the same.
analytics_verdicts = Table(
    "analytics_verdicts",
    metadata,
    Column("dataset_id", ROW_ID, ForeignKey("catalog_datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", NAME, primary_key=True),
    Column("verdict", NAME, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_by", NAME, nullable=False),
    Column("decided_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
