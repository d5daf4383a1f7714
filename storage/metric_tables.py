"""The tables of measurements over time; they share the metadata of tables.py.

Times of samples are whole milliseconds since 1970 in UTC, as databases of time series count. The source 0 is the server
itself; other sources are rows of data_sources, which are never deleted for good.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, SmallInteger, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# What is stored of a source. Batches have the numbers 1, 2, 3, … without gaps, `head` is the newest; those up to
# `sealed` are in chunks. `series` counts all series that there ever were, `forgotten` how often some were deleted.
# `refused` counts samples that were not taken: of series beyond the source's limit, or of a time that is not kept.
metric_sources = Table(
    "metric_sources",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("head", BigInteger, nullable=False),
    Column("sealed", BigInteger, nullable=False),
    Column("series", Integer, nullable=False),
    Column("forgotten", Integer, nullable=False),
    Column("refused", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The id says whose the series is, and its number there (series.py). `labels` is a JSON object with sorted keys,
# `digest` one of the metric and the labels. `kind` is gauge or counter. `last_ms` is as of the last sealing.
metric_series = Table(
    "metric_series",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=False),
    Column("source_id", BigInteger, nullable=False),
    Column("metric", NAME, nullable=False),
    Column("labels", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("unit", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Index(None, "source_id", "digest", unique=True),
    Index(None, "source_id", "metric"),
)

# Samples as they came, in columns (batch_body.py): the tail that others follow. `stored_ms` is when they came.
metric_batches = Table(
    "metric_batches",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("samples", Integer, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("stored_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# A window of a few series with neighbouring ids, in columns. `tier` 0 holds the samples themselves, the others what
# they come to each minute, quarter of an hour, quarter of a day. The times in it are from `first_ms` to `last_ms`.
# Where two parts of a window speak of the same time, the higher counts; `is_open` are those that are in no higher tier.
metric_chunks = Table(
    "metric_chunks",
    metadata,
    Column("group_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tier", SmallInteger, primary_key=True, autoincrement=False),
    Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("part", BigInteger, primary_key=True, autoincrement=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("points", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
# For retention, and for what is to be closed.
Index(None, metric_chunks.c.tier, metric_chunks.c.start_ms)
Index(
    "ix_metric_chunks_open",
    metric_chunks.c.start_ms,
    metric_chunks.c.group_id,
    sqlite_where=metric_chunks.c.is_open,
    postgresql_where=metric_chunks.c.is_open,
)

# How a source is collected from. `settings` is JSON; `credentials` of an exporter are sealed as those of data sources.
metric_collections = Table(
    "metric_collections",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("enabled", Boolean, nullable=False),
    Column("settings", Text, nullable=False),
    Column("credentials", LargeBinary),
    Column("key_id", NAME),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# How the visits of a source go. `remembered` is JSON: what the collector needs of the visit before.
metric_visits = Table(
    "metric_visits",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("visited_at", Instant, nullable=False),
    Column("succeeded_at", Instant),
    Column("seconds", Float, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
    Column("remembered", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The text of a statement, once for each, and the same without literals. `key` is what the source calls it.
statement_texts = Table(
    "statement_texts",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", NAME, primary_key=True),
    Column("text", Text, nullable=False),
    Column("normalised", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# What statements did in a stretch of time; `body` is JSON in zlib: one row a statement, the rest together as "other".
statement_windows = Table(
    "statement_windows",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The plans that were seen of a statement, each shape once. `plan` is JSON.
statement_plans = Table(
    "statement_plans",
    metadata,
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", NAME, primary_key=True),
    Column("shape", NAME, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("cost", Float),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# Keys that may only push samples to one source.
push_keys = Table(
    "push_keys",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("source_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Index(None, "source_id", "id"),
    sqlite_autoincrement=True,
)
