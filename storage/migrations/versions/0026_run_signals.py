"""What durable runs wait for, and which run began which."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.add_column("runs", sa.Column("parent_id", NAME))
    is_child = sa.text("parent_id IS NOT NULL")
    op.create_index("ix_runs_parent_id", "runs", ["parent_id"], sqlite_where=is_child, postgresql_where=is_child)
    op.create_table(
        "run_signals",
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("answer", sa.Text()),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_signals_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "topic", name="pk_run_signals"),
    )
