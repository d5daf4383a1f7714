"""The table of sign-ins; it shares the metadata of tables.py."""

from sqlalchemy import Column, Index, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# `sid` is what tokens of the session carry; `id` is what people end it by. `opened_by` is a word for the way in, as
# `console`. `address` and `user_agent` are those of the last use that was noted.
sessions = Table(
    "sessions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("sid", NAME, nullable=False, unique=True),
    Column("user_id", NAME, nullable=False),
    Column("opened_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_seen_at", Instant),
    Column("address", Text),
    Column("user_agent", Text),
    Column("ended_at", Instant),
    Index(None, "user_id", "id"),
    Index(None, "expires_at"),
    sqlite_autoincrement=True,
)
