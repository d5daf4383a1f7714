"""Access policies: what some people do not see of a workspace's datasets."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "access_policies",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("source_id", ROW_ID),
        sa.Column("dataset", sa.Text()),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_access_policies_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_access_policies_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_access_policies"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_access_policies_workspace_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_policies_source_id", "access_policies", ["source_id"])
