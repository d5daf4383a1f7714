"""The tables of sign-ins by OpenID Connect; they share the metadata of tables.py."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

import storage.session_tables  # noqa: F401 - a foreign key leads there
from storage.tables import NAME, ROW_ID, Instant, metadata

# Who a user is to a provider. `is_admin_by_groups` says that the user administers the server for the groups it is in
# there, and for no other reason: what groups gave, groups take away.
external_identities = Table(
    "external_identities",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("issuer", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("user_id", NAME, nullable=False),
    Column("is_admin_by_groups", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("signed_in_at", Instant),
    UniqueConstraint("issuer", "subject"),
    Index(None, "user_id"),
    sqlite_autoincrement=True,
)

# `hash` is the SHA-256 of the code, `challenge` what the code's verifier has to hash to, `provider_session` the `sid`
# that the provider gave.
sign_in_codes = Table(
    "sign_in_codes",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("identity_id", ROW_ID, ForeignKey("external_identities.id", ondelete="CASCADE"), nullable=False),
    Column("challenge", Text, nullable=False),
    Column("provider_session", Text),
    Column("expires_at", Instant, nullable=False),
    Index(None, "expires_at"),
)

# What counts only once, as SHA-256, for as long as it could come again.
spent_marks = Table(
    "spent_marks",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("expires_at", Instant, nullable=False),
    Index(None, "expires_at"),
)

# Sessions that came of such a sign-in. `provider_session` is as in `sign_in_codes`.
openid_sessions = Table(
    "openid_sessions",
    metadata,
    Column("sid", NAME, ForeignKey("sessions.sid", ondelete="CASCADE"), primary_key=True),
    Column("identity_id", ROW_ID, ForeignKey("external_identities.id", ondelete="CASCADE"), nullable=False),
    Column("provider_session", NAME),
    Index(None, "identity_id"),
    Index(None, "provider_session"),
)
