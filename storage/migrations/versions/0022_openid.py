"""Sign-ins by OpenID Connect."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "external_identities",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("issuer", NAME, nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("is_admin_by_groups", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_external_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_external_identities_issuer_subject"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_external_identities_user_id", "external_identities", ["user_id"])
    op.create_table(
        "sign_in_codes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("identity_id", ROW_ID, nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("provider_session", sa.Text()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_sign_in_codes"),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["external_identities.id"],
            name="fk_sign_in_codes_identity_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_sign_in_codes_expires_at", "sign_in_codes", ["expires_at"])
    op.create_table(
        "spent_marks",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_spent_marks"),
    )
    op.create_index("ix_spent_marks_expires_at", "spent_marks", ["expires_at"])
