"""Sessions, and API keys that may less than their users."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("sid", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("opened_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT),
        sa.Column("address", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("ended_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("sid", name="uq_sessions_sid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_user_id_id", "sessions", ["user_id", "id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.add_column("api_keys", sa.Column("scope", sa.Text()))
    op.add_column("api_keys", sa.Column("rotated_at", INSTANT))
    op.add_column("api_keys", sa.Column("previous_hash", sa.LargeBinary()))
    op.add_column("api_keys", sa.Column("previous_until", INSTANT))
    op.create_index("ix_api_keys_previous_hash", "api_keys", ["previous_hash"])
    op.add_column("tickets", sa.Column("sid", NAME))
    op.add_column("tickets", sa.Column("key_hash", sa.LargeBinary()))
