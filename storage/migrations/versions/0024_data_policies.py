"""Data policies: what must hold for sensitive data, and what that came to."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "data_policies",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("severity", NAME, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_data_policies_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_data_policies"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_data_policies_workspace_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "data_policy_evaluations",
        sa.Column("policy_id", ROW_ID, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("evaluated_at", INSTANT, nullable=False),
        sa.Column("outcome", NAME, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("not_evaluated", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["data_policies.id"], name="fk_data_policy_evaluations_policy_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_data_policy_evaluations_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("policy_id", "source_id", name="pk_data_policy_evaluations"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_data_policy_evaluations_source_id", "data_policy_evaluations", ["source_id"])
    op.create_table(
        "data_policy_results",
        sa.Column("policy_id", ROW_ID, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("dataset_id", ROW_ID),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("requirement", NAME, nullable=False),
        sa.Column("outcome", NAME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id", "source_id"],
            ["data_policy_evaluations.policy_id", "data_policy_evaluations.source_id"],
            name="fk_data_policy_results_policy_id_source_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("policy_id", "source_id", "ordinal", name="pk_data_policy_results"),
        sqlite_with_rowid=False,
    )
