"""Scans of data sources, what they found, and the rules that they check."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _scans()
    _results()
    _rules()


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _scans() -> None:
    op.create_table(
        "scans",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("mode", NAME, nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("state", NAME),
        sa.Column("error_code", NAME),
        sa.Column("error_message", sa.Text()),
        sa.Column("summary", sa.Text()),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        _refers("scans", "workspace_id", "workspaces"),
        _refers("scans", "source_id", "data_sources"),
        sa.PrimaryKeyConstraint("id", name="pk_scans"),
        sa.UniqueConstraint("run_id", name="uq_scans_run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_scans_workspace_id_id", "scans", ["workspace_id", "id"])
    op.create_index(
        "ix_scans_unfinished",
        "scans",
        ["source_id"],
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _results() -> None:
    op.create_table(
        "scan_datasets",
        sa.Column("scan_id", ROW_ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("schema_name", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("estimated_rows", sa.BigInteger()),
        sa.Column("state", NAME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text()),
        _refers("scan_datasets", "scan_id", "scans"),
        sa.PrimaryKeyConstraint("scan_id", "ordinal", name="pk_scan_datasets"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scan_results",
        sa.Column("scan_id", ROW_ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        _refers("scan_results", "scan_id", "scans"),
        sa.PrimaryKeyConstraint("scan_id", "ordinal", "place", name="pk_scan_results"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_scan_results_scan_id_kind_ordinal_place", "scan_results", ["scan_id", "kind", "ordinal", "place"]
    )
    op.create_table(
        "scan_marks",
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("dataset", NAME, nullable=False),
        sa.Column("scan_id", ROW_ID, nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("asked", NAME, nullable=False),
        _refers("scan_marks", "source_id", "data_sources"),
        sa.PrimaryKeyConstraint("source_id", "dataset", name="pk_scan_marks"),
        sqlite_with_rowid=False,
    )


def _rules() -> None:
    op.create_table(
        "scan_rules",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        _refers("scan_rules", "workspace_id", "workspaces"),
        _refers("scan_rules", "source_id", "data_sources"),
        sa.PrimaryKeyConstraint("id", name="pk_scan_rules"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_scan_rules_workspace_id_id", "scan_rules", ["workspace_id", "id"])
    op.create_index("ix_scan_rules_source_id_id", "scan_rules", ["source_id", "id"])
