"""Runs of workflows, what their nodes did, and whom they asked."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "workflow_runs",
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("workflow_id", ROW_ID, nullable=False),
        sa.Column("version_id", ROW_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("rerun_of", NAME),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_workflow_runs_run_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_workflow_runs_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name="fk_workflow_runs_workflow_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name="pk_workflow_runs"),
    )
    for column in ("workspace_id", "workflow_id"):
        columns = [column, "created_at", "run_id"]
        op.create_index(f"ix_workflow_runs_{column}_created_at_run_id", "workflow_runs", columns)
    op.create_table(
        "workflow_run_nodes",
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("place", NAME, nullable=False),
        sa.Column("node", NAME, nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("port", NAME),
        sa.Column("input", sa.Text()),
        sa.Column("output", sa.Text()),
        sa.Column("error_code", NAME),
        sa.Column("error_message", sa.Text()),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["run_id"], ["workflow_runs.run_id"], name="fk_workflow_run_nodes_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "place", name="pk_workflow_run_nodes"),
    )
    _create_approvals()


def _create_approvals() -> None:
    op.create_table(
        "workflow_approvals",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("place", NAME, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("approvers", sa.Text(), nullable=False),
        sa.Column("required", sa.Integer(), nullable=False),
        sa.Column("form", sa.Text()),
        sa.Column("may_delegate", sa.Boolean(), nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_workflow_approvals_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["workflow_runs.run_id"], name="fk_workflow_approvals_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_approvals"),
        sa.UniqueConstraint("run_id", "place", name="uq_workflow_approvals_run_id_place"),
        sqlite_autoincrement=True,
    )
    columns = ["workspace_id", "state", "id"]
    op.create_index("ix_workflow_approvals_workspace_id_state_id", "workflow_approvals", columns)
    op.create_table(
        "workflow_decisions",
        sa.Column("approval_id", ROW_ID, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("decision", NAME, nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("answers", sa.Text()),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["workflow_approvals.id"],
            name="fk_workflow_decisions_approval_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("approval_id", "user_id", name="pk_workflow_decisions"),
    )
