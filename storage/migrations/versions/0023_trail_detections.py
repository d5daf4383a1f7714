"""Threat detection over the server's own audit trail: streams without a data source, and how far it was followed."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("detection_streams", table_kwargs={"sqlite_with_rowid": False}) as batch:
        batch.alter_column("source_id", existing_type=ROW_ID, nullable=True)
    op.create_table(
        "trail_positions",
        sa.Column("name", NAME, nullable=False),
        sa.Column("audit_id", sa.BigInteger(), nullable=False),
        sa.Column("audit_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trail_positions"),
        sqlite_with_rowid=False,
    )
