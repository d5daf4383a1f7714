"""Security audits, what they found, and what they are compared with."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _scans()
    _results()
    _findings()
    _baselines()


def _scans() -> None:
    op.create_table(
        "security_scans",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("run_id", NAME, nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("state", NAME),
        sa.Column("error_code", NAME),
        sa.Column("error_message", sa.Text()),
        sa.Column("summary", sa.Text()),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_security_scans_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_security_scans_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_security_scans"),
        sa.UniqueConstraint("run_id", "source_id", name="uq_security_scans_run_id_source_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_security_scans_workspace_id_id", "security_scans", ["workspace_id", "id"])
    op.create_index("ix_security_scans_source_id_id", "security_scans", ["source_id", "id"])
    op.create_index(
        "ix_security_scans_unfinished",
        "security_scans",
        ["source_id"],
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _results() -> None:
    op.create_table(
        "security_results",
        sa.Column("scan_id", ROW_ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("check_id", NAME, nullable=False),
        sa.Column("outcome", NAME, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["security_scans.id"], name="fk_security_results_scan_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scan_id", "ordinal", name="pk_security_results"),
        sqlite_with_rowid=False,
    )


def _findings() -> None:
    op.create_table(
        "security_findings",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("fingerprint", NAME, nullable=False),
        sa.Column("check_id", NAME, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", NAME, nullable=False),
        sa.Column("severity", NAME, nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("remediation", sa.Text(), nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("change", NAME, nullable=False),
        sa.Column("changed_scan_id", ROW_ID, nullable=False),
        sa.Column("in_baseline", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("decided_by", NAME),
        sa.Column("decided_at", INSTANT),
        sa.Column("accepted_until", INSTANT),
        sa.Column("note", sa.Text()),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_security_findings_workspace_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_security_findings_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_security_findings"),
        sa.UniqueConstraint("source_id", "fingerprint", name="uq_security_findings_source_id_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_security_findings_workspace_id_id", "security_findings", ["workspace_id", "id"])
    op.create_index("ix_security_findings_state_accepted_until", "security_findings", ["state", "accepted_until"])


def _baselines() -> None:
    op.create_table(
        "security_baselines",
        sa.Column("source_id", ROW_ID, nullable=False),
        sa.Column("scan_id", ROW_ID, nullable=False),
        sa.Column("set_by", NAME, nullable=False),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["data_sources.id"], name="fk_security_baselines_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", name="pk_security_baselines"),
    )
