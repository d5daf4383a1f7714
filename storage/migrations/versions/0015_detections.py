"""What threat detection remembers, and what is behind its alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "detection_streams",
        sa.Column("scope", NAME, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("state", sa.LargeBinary()),
        sa.Column("due_at", INSTANT),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_detection_streams_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_detection_streams_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scope", name="pk_detection_streams"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_detection_streams_due_at", "detection_streams", ["due_at"])
    op.create_table(
        "detection_alerts",
        sa.Column("alert_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("scope", NAME, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_detection_alerts_alert_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alert_id", name="pk_detection_alerts"),
    )
    op.create_index("ix_detection_alerts_scope", "detection_alerts", ["scope"])
