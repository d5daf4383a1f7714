"""The tables of exports to systems that watch over security; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# `streams` and `target` are JSON; `credentials`, the whole target, are sealed with the key that `key_id` tells
# (sealing.py). `tries` counts the attempts since the last that went well. `broken_at` is the first row of the audit
# trail that was not as it was written, or not as it was sent.
event_exports = Table(
    "event_exports",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("streams", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("credentials", LargeBinary),
    Column("key_id", NAME),
    Column("enabled", Boolean, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("missed", BigInteger, nullable=False),
    Column("last_sent_at", Instant),
    Column("tries", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("failing_since", Instant),
    Column("last_error", Text),
    Column("broken_at", BigInteger),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# How far a stream was sent. `stream` is `audit` or a feed's name; `mark` is the row's hash, or the feed's epoch.
event_export_positions = Table(
    "event_export_positions",
    metadata,
    Column("export_id", ROW_ID, ForeignKey("event_exports.id", ondelete="CASCADE"), primary_key=True),
    Column("stream", NAME, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("mark", NAME, nullable=False),
    sqlite_with_rowid=False,
)
