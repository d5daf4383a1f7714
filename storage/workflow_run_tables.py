"""The tables of workflows' runs: what each run is of, what its nodes did, and whom it asked; see tables.py."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from storage.tables import NAME, ROW_ID, Instant, metadata

# What a durable run of a workflow has besides. `depth` counts the workflows around it.
workflow_runs = Table(
    "workflow_runs",
    metadata,
    Column("run_id", NAME, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("workflow_id", ROW_ID, ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False),
    Column("version_id", ROW_ID, nullable=False),
    Column("version", Integer, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("rerun_of", NAME),
    Column("depth", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "workspace_id", "created_at", "run_id"),
    Index(None, "workflow_id", "created_at", "run_id"),
)

# `place` is the node's id, and in a loop's body which item it was, as in `node:3`.
workflow_run_nodes = Table(
    "workflow_run_nodes",
    metadata,
    Column("run_id", NAME, ForeignKey("workflow_runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("place", NAME, primary_key=True),
    Column("node", NAME, nullable=False),
    Column("state", NAME, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("port", NAME),
    Column("input", Text),
    Column("output", Text),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("started_at", Instant),
    Column("finished_at", Instant),
)

workflow_approvals = Table(
    "workflow_approvals",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", NAME, ForeignKey("workflow_runs.run_id", ondelete="CASCADE"), nullable=False),
    Column("place", NAME, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("approvers", Text, nullable=False),
    Column("required", Integer, nullable=False),
    Column("form", Text),
    Column("may_delegate", Boolean, nullable=False),
    Column("state", NAME, nullable=False),
    Column("expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("run_id", "place"),
    Index(None, "workspace_id", "state", "id"),
    sqlite_autoincrement=True,
)

workflow_decisions = Table(
    "workflow_decisions",
    metadata,
    Column("approval_id", ROW_ID, ForeignKey("workflow_approvals.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", NAME, primary_key=True),
    Column("decision", NAME, nullable=False),
    Column("comment", Text, nullable=False),
    Column("answers", Text),
    Column("at", Instant, nullable=False),
)
