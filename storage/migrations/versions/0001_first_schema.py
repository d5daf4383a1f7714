"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()

# A head is the number of the newest update, so numbers have no gaps, whoever inserts.
SQLITE_HEAD = """
CREATE TRIGGER updates_head AFTER INSERT ON updates BEGIN
    UPDATE documents
    SET head = new.number, size_bytes = size_bytes + length(new.data),
        updated_at = new.created_at, updated_by = new.author
    WHERE id = new.document_id AND head = new.number - 1;
    SELECT RAISE(ABORT, 'the number is not the next one') WHERE changes() = 0;
END
"""

SQLITE_AUDIT = """
CREATE TRIGGER audit_no_{event} BEFORE {event} ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END
"""

POSTGRESQL_AUDIT = (
    """
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()
    """,
)

# The words come in cut and folded already (storage/words.py): the tokenizer only has to split at spaces.
SQLITE_SEARCH = "CREATE VIRTUAL TABLE document_words USING fts5(title, text, tokenize = 'ascii', prefix = '2 3')"

POSTGRESQL_SEARCH = (
    """
    CREATE TABLE document_words (
        document_id bigint PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
        words tsvector NOT NULL
    )
    """,
    "CREATE INDEX ix_document_words_words ON document_words USING gin (words)",
)


def upgrade() -> None:
    create_tables()
    if op.get_context().dialect.name == "sqlite":
        statements = (
            SQLITE_HEAD,
            SQLITE_AUDIT.format(event="UPDATE"),
            SQLITE_AUDIT.format(event="DELETE"),
            SQLITE_SEARCH,
        )
    else:
        statements = (*POSTGRESQL_AUDIT, *POSTGRESQL_SEARCH)
    for statement in statements:
        op.execute(statement)


def create_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_keys_user_id_id", "api_keys", ["user_id", "id"])
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("action", NAME, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("outcome", NAME, nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", NAME, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )
    op.create_table(
        "tickets",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_tickets"),
    )
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"])
    op.create_table(
        "users",
        sa.Column("id", NAME, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", NAME, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
    )
    op.create_table(
        "documents",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text()),
        sa.Column("root", sa.Text()),
        sa.Column("head", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("updated_by", NAME, nullable=False),
        sa.Column("trashed_at", INSTANT),
        sa.Column("trashed_by", NAME),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_documents_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_documents_workspace_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "members",
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("added_by", NAME, nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_members_workspace_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", name="pk_members"),
    )
    op.create_index("ix_members_user_id_workspace_id", "members", ["user_id", "workspace_id"])
    op.create_table(
        "document_texts",
        sa.Column("document_id", ROW_ID, nullable=False),
        sa.Column("workspace_id", NAME, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_document_texts_document_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", name="pk_document_texts"),
    )
    op.create_table(
        "snapshots",
        sa.Column("document_id", ROW_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_snapshots_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "number", name="pk_snapshots"),
    )
    op.create_table(
        "updates",
        sa.Column("document_id", ROW_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("author", NAME, nullable=False),
        sa.Column("origin", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_updates_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "number", name="pk_updates"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "versions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("document_id", ROW_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("created_by", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_versions_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_versions_document_id_id", "versions", ["document_id", "id"])
