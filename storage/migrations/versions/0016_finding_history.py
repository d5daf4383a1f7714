"""What happened to findings."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "security_finding_history",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("finding_id", ROW_ID, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("scan_id", ROW_ID),
        sa.Column("actor", NAME),
        sa.Column("note", sa.Text()),
        sa.Column("details", sa.Text()),
        sa.ForeignKeyConstraint(
            ["finding_id"],
            ["security_findings.id"],
            name="fk_security_finding_history_finding_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_security_finding_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_security_finding_history_finding_id_id", "security_finding_history", ["finding_id", "id"])
