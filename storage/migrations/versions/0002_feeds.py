"""Feeds: durable, ordered sequences of events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "feeds",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("epoch", NAME, nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feeds"),
        sa.UniqueConstraint("name", name="uq_feeds_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "feed_events",
        sa.Column("feed_id", ROW_ID, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", NAME),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("key", NAME),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name="fk_feed_events_feed_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feed_id", "offset", name="pk_feed_events"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_feed_events_feed_id_key",
        "feed_events",
        ["feed_id", "key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_table(
        "read_events",
        sa.Column("feed_id", ROW_ID, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name="fk_read_events_feed_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feed_id", "offset", name="pk_read_events"),
        sqlite_with_rowid=False,
    )
