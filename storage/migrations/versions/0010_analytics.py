"""Results of analyses, and what people say of their findings."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "analytics_results",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("dataset_id", ROW_ID, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("version", NAME, nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("findings", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_analytics_results_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["catalog_datasets.id"], name="fk_analytics_results_dataset_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_analytics_results"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_analytics_results_dataset_id_key_version_id",
        "analytics_results",
        ["dataset_id", "key", "version", "id"],
    )
    op.create_index("ix_analytics_results_workspace_id_id", "analytics_results", ["workspace_id", "id"])
    op.create_table(
        "analytics_verdicts",
        sa.Column("dataset_id", ROW_ID, nullable=False),
        sa.Column("fingerprint", NAME, nullable=False),
        sa.Column("verdict", NAME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", NAME, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["catalog_datasets.id"], name="fk_analytics_verdicts_dataset_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "fingerprint", name="pk_analytics_verdicts"),
        sqlite_with_rowid=False,
    )
