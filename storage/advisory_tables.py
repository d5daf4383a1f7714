"""The table of bundles of advisories; it shares the metadata of tables.py."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from storage.tables import NAME, Instant, metadata

# `file` is the signed file as it came: whoever reads it looks at the signature anew.
advisory_bundles = Table(
    "advisory_bundles",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("file", LargeBinary, nullable=False),
    Column("imported_by", NAME, nullable=False),
    Column("imported_at", Instant, nullable=False),
)
