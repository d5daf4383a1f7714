"""Alerts, the rules that make them and the routes that they take; leases."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _leases()
    _alert_rules()
    _alert_cursors()
    _alerts()
    _alert_history()
    _alert_silences()
    _alert_routes()
    _alert_inhibitions()
    _alert_groups()


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", NAME, nullable=False),
        sa.Column("holder", NAME),
        sa.Column("until", INSTANT),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
        sqlite_with_rowid=False,
    )


def _alert_rules() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("domain", NAME, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger()),
        sa.Column("severity", NAME, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text()),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_alert_rules_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_rules"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_rules_workspace_id_id", "alert_rules", ["workspace_id", "id"])


def _alert_cursors() -> None:
    op.create_table(
        "alert_cursors",
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_alert_cursors"),
        sqlite_with_rowid=False,
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("domain", NAME, nullable=False),
        sa.Column("rule_id", sa.BigInteger()),
        sa.Column("rule_version", sa.Integer()),
        sa.Column("source_id", sa.BigInteger()),
        sa.Column("fingerprint", NAME, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("severity", NAME, nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Float()),
        sa.Column("threshold", sa.Float()),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text()),
        sa.Column("pending_at", INSTANT, nullable=False),
        sa.Column("fired_at", INSTANT),
        sa.Column("last_true_at", INSTANT, nullable=False),
        sa.Column("false_since", INSTANT),
        sa.Column("missing_since", INSTANT),
        sa.Column("acknowledged_at", INSTANT),
        sa.Column("acknowledged_by", NAME),
        sa.Column("acknowledged_until", INSTANT),
        sa.Column("acknowledged_note", sa.Text()),
        sa.Column("snoozed_until", INSTANT),
        sa.Column("assignee", NAME),
        sa.Column("suppressed_by", sa.Text()),
        sa.Column("resolved_at", INSTANT),
        sa.Column("resolved_reason", sa.Text()),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.id"], name="fk_alerts_rule_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_alerts_workspace_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_fingerprint_id", "alerts", ["fingerprint", "id"])
    op.create_index("ix_alerts_rule_id", "alerts", ["rule_id"])
    op.create_index(
        "ix_alerts_open",
        "alerts",
        ["workspace_id", "domain", "fingerprint"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index("ix_alerts_workspace_id_id", "alerts", ["workspace_id", "id"])


def _alert_history() -> None:
    op.create_table(
        "alert_history",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("alert_id", ROW_ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("actor", NAME),
        sa.Column("state", NAME, nullable=False),
        sa.Column("value", sa.Float()),
        sa.Column("note", sa.Text()),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_history_alert_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_history_alert_id_id", "alert_history", ["alert_id", "id"])


def _alert_silences() -> None:
    op.create_table(
        "alert_silences",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT),
        sa.Column("cron", sa.Text()),
        sa.Column("time_zone", sa.Text()),
        sa.Column("seconds", sa.Integer()),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("ended_by", NAME),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_alert_silences_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_silences"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_silences_workspace_id_id", "alert_silences", ["workspace_id", "id"])


def _alert_routes() -> None:
    op.create_table(
        "alert_routes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("receivers", sa.Text(), nullable=False),
        sa.Column("group_by", sa.Text(), nullable=False),
        sa.Column("group_wait_seconds", sa.Integer(), nullable=False),
        sa.Column("group_interval_seconds", sa.Integer(), nullable=False),
        sa.Column("repeat_interval_seconds", sa.Integer(), nullable=False),
        sa.Column("goes_on", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_alert_routes_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_routes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_routes_workspace_id_position", "alert_routes", ["workspace_id", "position"])


def _alert_inhibitions() -> None:
    op.create_table(
        "alert_inhibitions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("equal", sa.Text(), nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_alert_inhibitions_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_inhibitions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_inhibitions_workspace_id_id", "alert_inhibitions", ["workspace_id", "id"])


def _alert_groups() -> None:
    op.create_table(
        "alert_groups",
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("route_id", sa.BigInteger(), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("due_at", INSTANT),
        sa.Column("sent_at", INSTANT),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_alert_groups_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "route_id", "key", name="pk_alert_groups"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_alert_groups_due_at", "alert_groups", ["due_at"])
