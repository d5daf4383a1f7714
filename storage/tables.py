"""The tables, as SQLAlchemy Core knows them; the migrations create them.

Times are whole microseconds since 1970 in UTC (`Instant`), in both databases: they sort and compare as
numbers. Names compare by code point in both databases, so that a list has one order everywhere.

What only one database has is in the migrations and in the module that uses it: the search index (search.py), the
trigger that keeps a document's head (sqlite_update_log.py) and the triggers that make the audit append-only.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_microseconds(at: datetime) -> int:
    """Whole microseconds since 1970. The time must be aware."""
    return (at - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """An aware UTC time."""
    return EPOCH + timedelta(microseconds=microseconds)


class Instant(TypeDecorator[datetime]):
    """An aware time, stored as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_microseconds(value)


# "C" makes PostgreSQL compare UTF-8 bytes, which is the order of code points, and what SQLite does anyway.
NAME = String().with_variant(String(collation="C"), "postgresql")

# SQLite gives numbers by itself only to a column that is exactly INTEGER.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Users are never deleted, and may be named before they are stored (invited, or signed in by a token): what names a
# user has no foreign key.
users = Table(
    "users",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("title", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)

members = Table(
    "members",
    metadata,
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", NAME, primary_key=True),
    Column("role", Text, nullable=False),
    Column("added_by", NAME, nullable=False),
    Column("added_at", Instant, nullable=False),
    Index(None, "user_id", "workspace_id"),
)

# Row ids are never given out twice (AUTOINCREMENT): updates still on their way to a purged document must not end up
# in another. No index holds what every append changes, so that an append writes few pages.
documents = Table(
    "documents",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("title", Text, nullable=False),
    Column("kind", Text),
    Column("root", Text),
    Column("head", BigInteger, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("trashed_at", Instant),
    Column("trashed_by", NAME),
    UniqueConstraint("workspace_id", "name"),
    sqlite_autoincrement=True,
)

# One B-tree a document's updates lie together in: an append touches one page a document, a load reads neighbours.
updates = Table(
    "updates",
    metadata,
    Column("document_id", ROW_ID, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("author", NAME, nullable=False),
    Column("origin", SmallInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("document_id", ROW_ID, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("document_id", ROW_ID, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("name", Text),
    Column("automatic", Boolean, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "document_id", "id"),
    sqlite_autoincrement=True,
)

# `scope` is JSON of what a key may of what its user may, NULL for all of it. After a rotation the secret of
# `previous_hash` holds until `previous_until`.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("user_id", NAME, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("scope", Text),
    Column("rotated_at", Instant),
    Column("previous_hash", LargeBinary, index=True),
    Column("previous_until", Instant),
    Index(None, "user_id", "id"),
    sqlite_autoincrement=True,
)

# A ticket lets in as what it was made with: a session's token, or the API key of this hash.
tickets = Table(
    "tickets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("user_id", NAME, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("sid", NAME),
    Column("key_hash", LargeBinary),
    Index(None, "expires_at"),
)

# `previous_hash` and `hash` are lower-case hex SHA-256; `details` is the canonical JSON that was hashed.
audit = Table(
    "audit",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", NAME, nullable=False),
    Column("action", NAME, nullable=False),
    Column("target", NAME, nullable=False),
    Column("outcome", NAME, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

document_texts = Table(
    "document_texts",
    metadata,
    Column("document_id", ROW_ID, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("workspace_id", NAME, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
)

# A position in a feed is an epoch and an offset. `epoch` is drawn when the feed is made: offsets of another life of it
# mean something else. `head` is the newest offset; the events from `oldest` to it are held, without gaps.
feeds = Table(
    "feeds",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("epoch", NAME, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("oldest", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# `data` is a JSON object. Few events have a `key`, so only those are in its index.
feed_events = Table(
    "feed_events",
    metadata,
    Column("feed_id", ROW_ID, ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", NAME),
    Column("data", Text, nullable=False),
    Column("key", NAME),
    sqlite_with_rowid=False,
)
Index(
    None,
    feed_events.c.feed_id,
    feed_events.c.key,
    unique=True,
    sqlite_where=feed_events.c.key.is_not(None),
    postgresql_where=feed_events.c.key.is_not(None),
)

# Which events of an inbox its owner has read; the others are new.
read_events = Table(
    "read_events",
    metadata,
    Column("feed_id", ROW_ID, ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
