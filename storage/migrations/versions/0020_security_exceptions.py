"""Exceptions from what audits find, by pattern."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.add_column("security_findings", sa.Column("exception_id", ROW_ID))
    op.create_table(
        "security_exceptions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.Column("objects", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("owner", NAME, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("ended_by", NAME),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_security_exceptions_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_security_exceptions_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_security_exceptions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_security_exceptions_workspace_id_id", "security_exceptions", ["workspace_id", "id"])
