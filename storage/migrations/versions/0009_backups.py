"""Backups of data sources, and reports on them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "backups",
        *_made(),
        sa.Column("file", sa.Text()),
        sa.Column("host", sa.Text()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("sha256", NAME),
        sa.Column("contents", sa.Text()),
        sa.Column("verified_at", INSTANT),
        sa.Column("verification", sa.Text()),
        *_constraints("backups"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_backups_source_id_id", "backups", ["source_id", "id"])
    op.create_table(
        "reports",
        *_made(),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("missing", sa.Text()),
        *_constraints("reports"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reports_source_id_id", "reports", ["source_id", "id"])
    op.create_table(
        "report_contents",
        sa.Column("report_id", ROW_ID, nullable=False),
        sa.Column("format", NAME, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_report_contents_report_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("report_id", "format", name="pk_report_contents"),
    )


def _made() -> list[sa.Column[object]]:
    """Whose it is, and what became of it."""
    return [
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("state", NAME),
        sa.Column("error_code", NAME),
        sa.Column("error_message", sa.Text()),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
    ]


def _constraints(table: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=f"fk_{table}_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["source_id"], ["data_sources.id"], name=f"fk_{table}_source_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("run_id", name=f"uq_{table}_run_id"),
    ]
