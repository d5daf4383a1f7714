"""The tables of the catalog: what sources hold, what people say of it, how it changed, and what comes from where.

They share the metadata of tables.py. The search index of datasets is in the migration and in catalog_search.py.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from storage.tables import NAME, ROW_ID, Instant, metadata

# What the last discovery of a source came to. `lineage_digest` is of all that lineage was computed from.
catalog_sources = Table(
    "catalog_sources",
    metadata,
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("discovered_at", Instant),
    Column("lineage_digest", NAME),
)

# A dataset keeps its row, and so its id, when it vanishes (`missing_since`) and comes back. `schema` is empty where
# there is none: no two rows have the same empty name, as they might have the same null. `keys` and `lineage_problems`
# are JSON. `description_number` is that of the update of its document which the search index holds.
catalog_datasets = Table(
    "catalog_datasets",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), nullable=False),
    Column("schema", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("estimated_rows", BigInteger),
    Column("bytes", BigInteger),
    Column("comment", Text),
    Column("modified_at", Instant),
    Column("definition", Text),
    Column("keys", Text, nullable=False),
    Column("lineage_problems", Text, nullable=False),
    Column("sensitivity", NAME),
    Column("error_code", NAME),
    Column("error_message", Text),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("missing_since", Instant),
    Column("description_number", BigInteger, nullable=False),
    UniqueConstraint("source_id", "schema", "name"),
    Index(None, "workspace_id", "name", "id"),
    sqlite_autoincrement=True,
)

# A column that vanishes is kept as well, with what was said of it. `default_value` is SQL.
catalog_columns = Table(
    "catalog_columns",
    metadata,
    Column("dataset_id", ROW_ID, ForeignKey("catalog_datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("native_type", Text, nullable=False),
    Column("logical_type", NAME, nullable=False),
    Column("nullable", Boolean, nullable=False),
    Column("default_value", Text),
    Column("comment", Text),
    Column("sensitivity", NAME),
    Column("missing_since", Instant),
)

catalog_terms = Table(
    "catalog_terms",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("definition", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_by", NAME, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("workspace_id", "name"),
    sqlite_autoincrement=True,
)

# Owners and tags of datasets and of their columns; `column_name` is empty for the dataset itself.
catalog_labels = Table(
    "catalog_labels",
    metadata,
    Column("dataset_id", ROW_ID, ForeignKey("catalog_datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("column_name", NAME, primary_key=True),
    Column("kind", NAME, primary_key=True),
    Column("value", NAME, primary_key=True),
    Index(None, "kind", "value", "dataset_id"),
)

catalog_dataset_terms = Table(
    "catalog_dataset_terms",
    metadata,
    Column("dataset_id", ROW_ID, ForeignKey("catalog_datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("column_name", NAME, primary_key=True),
    Column("term_id", ROW_ID, ForeignKey("catalog_terms.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "term_id", "dataset_id"),
)

data_source_tags = Table(
    "data_source_tags",
    metadata,
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", NAME, primary_key=True),
    Index(None, "tag", "source_id"),
)

# Each content once, compressed JSON under the SHA-256 of its JSON: a schema that goes back and forth costs nothing.
schema_contents = Table(
    "schema_contents",
    metadata,
    Column("digest", NAME, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# The version history of a source. `changes` is the JSON of its differences from the number before.
schema_versions = Table(
    "schema_versions",
    metadata,
    Column("source_id", ROW_ID, ForeignKey("data_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("digest", NAME, ForeignKey("schema_contents.digest"), nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("datasets", Integer, nullable=False),
    Column("change_count", Integer, nullable=False),
    Column("breaking_count", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("changes", Text, nullable=False),
)

# Datasets that no source of the workspace holds, and that lineage knows of: `namespace` and `name` as OpenLineage has
# them.
lineage_externals = Table(
    "lineage_externals",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("namespace", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("workspace_id", "namespace", "name"),
    sqlite_autoincrement=True,
)

# An edge of the workspace's graph. Nodes are `dataset:12` and `external:3`. A column is empty where the whole dataset
# is meant: as target of what decides on its rows, on both ends where columns are not known. `origin` says who told:
# `view`, `foreign_key`, `sql` or `openlineage`, and `origin_name` which; told again, it is replaced.
lineage_edges = Table(
    "lineage_edges",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace_id", NAME, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("origin", NAME, nullable=False),
    Column("origin_name", NAME, nullable=False),
    Column("source_node", NAME, nullable=False),
    Column("source_column", NAME, nullable=False),
    Column("target_node", NAME, nullable=False),
    Column("target_column", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("masking", Boolean, nullable=False),
    Index(None, "workspace_id", "origin", "origin_name"),
    Index(None, "workspace_id", "source_node"),
    Index(None, "workspace_id", "target_node"),
    sqlite_autoincrement=True,
)
