"""The tables of backups of sources and of reports on them; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# `state` is null until it has ended; before that, the run's state tells it. `file` is a path below the folder of data
# of the machine `host`; `contents` and `verification` are JSON.
backups = Table(
    "backups",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", NAME, nullable=False, unique=True),
    Column("state", NAME),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("file", Text),
    Column("host", Text),
    Column("bytes", BigInteger),
    Column("sha256", NAME),
    Column("contents", Text),
    Column("verified_at", Instant),
    Column("verification", Text),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Index(None, "source_id", "id"),
    sqlite_autoincrement=True,
)

reports = Table(
    "reports",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", NAME, nullable=False, unique=True),
    Column("kind", NAME, nullable=False),
    Column("state", NAME),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("missing", Text),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Index(None, "source_id", "id"),
    sqlite_autoincrement=True,
)

# The report itself in each format, compressed by zlib; `bytes` is its size without that.
report_contents = Table(
    "report_contents",
    metadata,
    Column("report_id", ROW_ID, ForeignKey("reports.id", ondelete="CASCADE"), primary_key=True),
    Column("format", NAME, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
