"""Outgoing integrations, their deliveries and the log of attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _integrations()
    _deliveries()


def _integrations() -> None:
    op.create_table(
        "integrations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("credentials", sa.LargeBinary()),
        sa.Column("key_id", NAME),
        sa.Column("feeds", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("owner", NAME, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("failing_since", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("lease_holder", NAME),
        sa.Column("lease_until", INSTANT),
        sa.Column("lease_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_integrations_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_integrations"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_integrations_workspace_id", "integrations", ["workspace_id"])
    op.create_table(
        "integration_positions",
        sa.Column("integration_id", ROW_ID, nullable=False),
        sa.Column("feed_id", ROW_ID, nullable=False),
        sa.Column("epoch", NAME, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"],
            ["integrations.id"],
            name="fk_integration_positions_integration_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name="fk_integration_positions_feed_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("integration_id", "feed_id", name="pk_integration_positions"),
        sqlite_with_rowid=False,
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("integration_id", ROW_ID, nullable=False),
        sa.Column("message_id", NAME, nullable=False),
        sa.Column("feed", NAME, nullable=False),
        sa.Column("epoch", NAME, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name="fk_deliveries_integration_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_integration_id_id", "deliveries", ["integration_id", "id"])
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["integration_id", "id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("answer", sa.Text()),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name="fk_delivery_attempts_delivery_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_delivery_attempts"),
        sqlite_with_rowid=False,
    )
