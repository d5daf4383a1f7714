"""The tables of outgoing integrations; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# `settings`, `feeds` and `events` are JSON; `credentials` are sealed with the key that `key_id` tells (sealing.py). Who
# delivers holds the lease: `lease_number` counts its holders, so that a former one is told from the present one.
integrations = Table(
    "integrations",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("settings", Text, nullable=False),
    Column("credentials", LargeBinary),
    Column("key_id", NAME),
    Column("feeds", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("owner", NAME, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("failing_since", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("lease_holder", NAME),
    Column("lease_until", Instant),
    Column("lease_number", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# How far an integration has taken a feed in. A feed without a row here began after the integration was told of it.
integration_positions = Table(
    "integration_positions",
    metadata,
    Column("integration_id", ROW_ID, ForeignKey("integrations.id", ondelete="CASCADE"), primary_key=True),
    Column("feed_id", ROW_ID, ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", NAME, nullable=False),
    Column("offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# An event on its way out, with all that is sent of it: the feed may no longer hold it when it is sent again. `tries`
# counts the attempts since it was last queued, and `state` is pending, delivered or failed.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("integration_id", ROW_ID, ForeignKey("integrations.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", NAME, nullable=False),
    Column("feed", NAME, nullable=False),
    Column("epoch", NAME, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    sqlite_autoincrement=True,
)
Index(None, deliveries.c.integration_id, deliveries.c.id)
Index(
    "ix_deliveries_pending",
    deliveries.c.integration_id,
    deliveries.c.id,
    sqlite_where=deliveries.c.state == "pending",
    postgresql_where=deliveries.c.state == "pending",
)

# `answer` holds the first bytes of what came back, as text.
delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", ROW_ID, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("answer", Text),
    sqlite_with_rowid=False,
)
