"""Sessions that came of sign-ins by OpenID Connect."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "openid_sessions",
        sa.Column("sid", NAME, nullable=False),
        sa.Column("identity_id", ROW_ID, nullable=False),
        sa.Column("provider_session", NAME),
        sa.PrimaryKeyConstraint("sid", name="pk_openid_sessions"),
        sa.ForeignKeyConstraint(["sid"], ["sessions.sid"], name="fk_openid_sessions_sid", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["external_identities.id"],
            name="fk_openid_sessions_identity_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_openid_sessions_identity_id", "openid_sessions", ["identity_id"])
    op.create_index("ix_openid_sessions_provider_session", "openid_sessions", ["provider_session"])
