"""The tables of scans and of the rules that they check; they share the metadata of tables.py."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from storage.tables import NAME, ROW_ID, Instant, metadata

# `options` and `summary` are JSON. `state` is null until the scan has ended; before that, the run's state tells it.
# `error_code` may be there earlier: what makes all datasets that are left fail alike.
scans = Table(
    "scans",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", NAME, nullable=False, unique=True),
    Column("mode", NAME, nullable=False),
    Column("options", Text, nullable=False),
    Column("state", NAME),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("summary", Text),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Index(None, "workspace_id", "id"),
    sqlite_autoincrement=True,
)
# Two scans of one source at once would ask twice as much of it.
Index(
    "ix_scans_unfinished",
    scans.c.source_id,
    unique=True,
    sqlite_where=scans.c.finished_at.is_(None),
    postgresql_where=scans.c.finished_at.is_(None),
)

# What a scan goes through, in this order. `attempts` counts how often a dataset was begun. `outcome` is JSON.
scan_datasets = Table(
    "scan_datasets",
    metadata,
    Column("scan_id", ROW_ID, ForeignKey("scans.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("schema_name", Text),
    Column("name", Text, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("estimated_rows", BigInteger),
    Column("state", NAME, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outcome", Text),
    sqlite_with_rowid=False,
)

# What was found, in the order in which it is told: of each dataset first its outcome, at place 0. `body` is JSON.
scan_results = Table(
    "scan_results",
    metadata,
    Column("scan_id", ROW_ID, ForeignKey("scans.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("kind", NAME, nullable=False),
    Column("column_name", Text),
    Column("body", Text, nullable=False),
    Index(None, "scan_id", "kind", "ordinal", "place"),
    sqlite_with_rowid=False,
)

# How each dataset of a source was when it was last scanned. `dataset` is a digest of its name, which may be long;
# `asked` one of what the scan looked for.
scan_marks = Table(
    "scan_marks",
    metadata,
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("dataset", NAME, primary_key=True),
    Column("scan_id", ROW_ID, nullable=False),
    Column("marker", Text, nullable=False),
    Column("asked", NAME, nullable=False),
    sqlite_with_rowid=False,
)

# `dataset` is a pattern of names; `rule` is JSON.
scan_rules = Table(
    "scan_rules",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("dataset", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "workspace_id", "id"),
    Index(None, "source_id", "id"),
    sqlite_autoincrement=True,
)
