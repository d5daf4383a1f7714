"""Measurements over time: series, samples, what is collected from sources."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()


def upgrade() -> None:
    _metric_sources()
    _metric_series()
    _metric_batches()
    _metric_chunks()
    _metric_collections()
    _metric_visits()
    _statement_texts()
    _statement_windows()
    _statement_plans()
    _push_keys()


def _metric_sources() -> None:
    op.create_table(
        "metric_sources",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("forgotten", sa.Integer(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_metric_sources"),
        sqlite_with_rowid=False,
    )


def _metric_series() -> None:
    op.create_table(
        "metric_series",
        sa.Column("id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", NAME, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_metric_series"),
    )
    op.create_index("ix_metric_series_source_id_digest", "metric_series", ["source_id", "digest"], unique=True)
    op.create_index("ix_metric_series_source_id_metric", "metric_series", ["source_id", "metric"])


def _metric_batches() -> None:
    op.create_table(
        "metric_batches",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("stored_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "seq", name="pk_metric_batches"),
        sqlite_with_rowid=False,
    )


def _metric_chunks() -> None:
    op.create_table(
        "metric_chunks",
        sa.Column("group_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("tier", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("part", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "tier", "start_ms", "part", name="pk_metric_chunks"),
    )
    op.create_index("ix_metric_chunks_tier_start_ms", "metric_chunks", ["tier", "start_ms"])
    is_open = sa.text("is_open")
    open_ones = ["start_ms", "group_id"]
    op.create_index("ix_metric_chunks_open", "metric_chunks", open_ones, sqlite_where=is_open, postgresql_where=is_open)
    if op.get_bind().dialect.name == "postgresql":
        # The bodies are compressed already.
        op.execute("ALTER TABLE metric_chunks ALTER COLUMN body SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE metric_batches ALTER COLUMN body SET STORAGE EXTERNAL")


def _metric_collections() -> None:
    op.create_table(
        "metric_collections",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("credentials", sa.LargeBinary()),
        sa.Column("key_id", NAME),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_metric_collections"),
        sqlite_with_rowid=False,
    )


def _metric_visits() -> None:
    op.create_table(
        "metric_visits",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("visited_at", INSTANT, nullable=False),
        sa.Column("succeeded_at", INSTANT),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("remembered", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_metric_visits"),
        sqlite_with_rowid=False,
    )


def _statement_texts() -> None:
    op.create_table(
        "statement_texts",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("normalised", sa.Text(), nullable=False),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "key", name="pk_statement_texts"),
        sqlite_with_rowid=False,
    )


def _statement_windows() -> None:
    op.create_table(
        "statement_windows",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "start_ms", name="pk_statement_windows"),
        sqlite_with_rowid=False,
    )


def _statement_plans() -> None:
    op.create_table(
        "statement_plans",
        sa.Column("source_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("shape", NAME, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("cost", sa.Float()),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "key", "shape", name="pk_statement_plans"),
        sqlite_with_rowid=False,
    )


def _push_keys() -> None:
    op.create_table(
        "push_keys",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_push_keys"),
        sa.UniqueConstraint("hash", name="uq_push_keys_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_push_keys_source_id_id", "push_keys", ["source_id", "id"])
