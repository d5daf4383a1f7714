"""Exports of the audit trail and of events."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "event_exports",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("streams", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("credentials", sa.LargeBinary()),
        sa.Column("key_id", NAME),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("missed", sa.BigInteger(), nullable=False),
        sa.Column("last_sent_at", INSTANT),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", INSTANT),
        sa.Column("failing_since", INSTANT),
        sa.Column("last_error", sa.Text()),
        sa.Column("broken_at", sa.BigInteger()),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_exports"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_export_positions",
        sa.Column("export_id", ROW_ID, nullable=False),
        sa.Column("stream", NAME, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mark", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"], ["event_exports.id"], name="fk_event_export_positions_export_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("export_id", "stream", name="pk_event_export_positions"),
        sqlite_with_rowid=False,
    )
