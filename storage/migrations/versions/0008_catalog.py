"""The catalog: datasets with what people say of them, the history of schemas, lineage."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()

# As of documents (0001): the words come in cut and folded already.
SQLITE_SEARCH = (
    "CREATE VIRTUAL TABLE catalog_words USING fts5(name, details, text, tokenize = 'ascii', prefix = '2 3')",
)
POSTGRESQL_SEARCH = (
    """
    CREATE TABLE catalog_words (
        dataset_id bigint PRIMARY KEY REFERENCES catalog_datasets (id) ON DELETE CASCADE,
        words tsvector NOT NULL
    )
    """,
    "CREATE INDEX ix_catalog_words_words ON catalog_words USING gin (words)",
)


def upgrade() -> None:
    create_datasets()
    create_labels()
    create_history()
    create_lineage()
    for statement in SQLITE_SEARCH if op.get_context().dialect.name == "sqlite" else POSTGRESQL_SEARCH:
        op.execute(statement)


def create_datasets() -> None:
    op.create_table(
        "catalog_sources",
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("discovered_at", INSTANT),
        sa.Column("lineage_digest", NAME),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_catalog_sources_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", name="pk_catalog_sources"),
    )
    op.create_table(
        "catalog_datasets",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("schema", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("estimated_rows", sa.BigInteger()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("comment", sa.Text()),
        sa.Column("modified_at", INSTANT),
        sa.Column("definition", sa.Text()),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("lineage_problems", sa.Text(), nullable=False),
        sa.Column("sensitivity", NAME),
        sa.Column("error_code", NAME),
        sa.Column("error_message", sa.Text()),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("missing_since", INSTANT),
        sa.Column("description_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_catalog_datasets_source_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_catalog_datasets_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_datasets"),
        sa.UniqueConstraint("source_id", "schema", "name", name="uq_catalog_datasets_source_id_schema_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_catalog_datasets_workspace_id_name_id", "catalog_datasets", ["workspace_id", "name", "id"])
    op.create_table(
        "catalog_columns",
        sa.Column("dataset_id", ROW_ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("native_type", sa.Text(), nullable=False),
        sa.Column("logical_type", NAME, nullable=False),
        sa.Column("nullable", sa.Boolean(), nullable=False),
        sa.Column("default_value", sa.Text()),
        sa.Column("comment", sa.Text()),
        sa.Column("sensitivity", NAME),
        sa.Column("missing_since", INSTANT),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["catalog_datasets.id"], name="fk_catalog_columns_dataset_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "name", name="pk_catalog_columns"),
    )


def create_labels() -> None:
    op.create_table(
        "catalog_terms",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_catalog_terms_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_terms"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_catalog_terms_workspace_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "catalog_labels",
        sa.Column("dataset_id", ROW_ID, nullable=False),
        sa.Column("column_name", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("value", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["catalog_datasets.id"], name="fk_catalog_labels_dataset_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "column_name", "kind", "value", name="pk_catalog_labels"),
    )
    op.create_index("ix_catalog_labels_kind_value_dataset_id", "catalog_labels", ["kind", "value", "dataset_id"])
    op.create_table(
        "catalog_dataset_terms",
        sa.Column("dataset_id", ROW_ID, nullable=False),
        sa.Column("column_name", NAME, nullable=False),
        sa.Column("term_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["catalog_datasets.id"], name="fk_catalog_dataset_terms_dataset_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["term_id"], ["catalog_terms.id"], name="fk_catalog_dataset_terms_term_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "column_name", "term_id", name="pk_catalog_dataset_terms"),
    )
    op.create_index("ix_catalog_dataset_terms_term_id_dataset_id", "catalog_dataset_terms", ["term_id", "dataset_id"])
    op.create_table(
        "data_source_tags",
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("tag", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_data_source_tags_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "tag", name="pk_data_source_tags"),
    )
    op.create_index("ix_data_source_tags_tag_source_id", "data_source_tags", ["tag", "source_id"])


def create_history() -> None:
    op.create_table(
        "schema_contents",
        sa.Column("digest", NAME, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_schema_contents"),
    )
    op.create_table(
        "schema_versions",
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.Column("datasets", sa.Integer(), nullable=False),
        sa.Column("change_count", sa.Integer(), nullable=False),
        sa.Column("breaking_count", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["schema_contents.digest"], name="fk_schema_versions_digest"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_schema_versions_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "number", name="pk_schema_versions"),
    )


def create_lineage() -> None:
    op.create_table(
        "lineage_externals",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_lineage_externals_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_lineage_externals"),
        sa.UniqueConstraint(
            "workspace_id", "namespace", "name", name="uq_lineage_externals_workspace_id_namespace_name"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lineage_edges",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("origin", NAME, nullable=False),
        sa.Column("origin_name", NAME, nullable=False),
        sa.Column("source_node", NAME, nullable=False),
        sa.Column("source_column", NAME, nullable=False),
        sa.Column("target_node", NAME, nullable=False),
        sa.Column("target_column", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("masking", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_lineage_edges_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_lineage_edges"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_lineage_edges_workspace_id_origin_origin_name", "lineage_edges", ["workspace_id", "origin", "origin_name"]
    )
    op.create_index("ix_lineage_edges_workspace_id_source_node", "lineage_edges", ["workspace_id", "source_node"])
    op.create_index("ix_lineage_edges_workspace_id_target_node", "lineage_edges", ["workspace_id", "target_node"])
