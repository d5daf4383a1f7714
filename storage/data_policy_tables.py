"""The tables of data policies and of what they came to; they share the metadata of tables.py."""

from sqlalchemy import Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, Integer, Table, Text, UniqueConstraint

from storage.tables import NAME, ROW_ID, Instant, metadata

# `body` is JSON: which columns it is about, and what must hold for them.
data_policies = Table(
    "data_policies",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("severity", NAME, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("workspace_id", "name"),
    sqlite_autoincrement=True,
)

# What a policy last came to in a source. `unseen` counts datasets in which nobody looked for what it is about.
data_policy_evaluations = Table(
    "data_policy_evaluations",
    metadata,
    Column("policy_id", ROW_ID, ForeignKey("data_policies.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("evaluated_at", Instant, nullable=False),
    Column("outcome", NAME, nullable=False),
    Column("reason", Text),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("not_evaluated", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
    Index(None, "source_id"),
    sqlite_with_rowid=False,
)

# Of each column that the policy is about, and each thing that must hold for it, whether it does.
data_policy_results = Table(
    "data_policy_results",
    metadata,
    Column("policy_id", ROW_ID, primary_key=True),
    Column("source_id", ROW_ID, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("dataset_id", ROW_ID),
    Column("dataset", Text, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("requirement", NAME, nullable=False),
    Column("outcome", NAME, nullable=False),
    Column("reason", Text, nullable=False),
    ForeignKeyConstraint(
        ["policy_id", "source_id"],
        ["data_policy_evaluations.policy_id", "data_policy_evaluations.source_id"],
        ondelete="CASCADE",
    ),
    sqlite_with_rowid=False,
)
