"""The tables of workflows and of their published versions; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from storage.tables import NAME, ROW_ID, Instant, metadata

# What a document of the kind diagram is besides a document. `newest_version` counts its versions, 0 before the first.
workflows = Table(
    "workflows",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", ROW_ID, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("description", Text, nullable=False),
    Column("newest_version", Integer, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("document_id"),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)

# Never changed once they are made: `form` is the diagram's normal form after the document's update `document_number`.
workflow_versions = Table(
    "workflow_versions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workflow_id", ROW_ID, ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("document_number", BigInteger, nullable=False),
    Column("fingerprint", NAME, nullable=False),
    Column("message", Text, nullable=False),
    Column("nodes", Integer, nullable=False),
    Column("edges", Integer, nullable=False),
    Column("form", LargeBinary, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("workflow_id", "version"),
    sqlite_autoincrement=True,
)
