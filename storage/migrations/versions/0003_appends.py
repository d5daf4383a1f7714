"""What the newest append of each writer led to, where a connection may be lost between a commit and its answer."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# One row a writer, rewritten by each of its appends: no index but the key, and room in the page, so that the new
# version of a row stays beside the old one.
POSTGRESQL = """
CREATE TABLE append_batches (
    writer text COLLATE "C" PRIMARY KEY,
    batch bigint NOT NULL,
    documents bigint[] NOT NULL,
    heads bigint[] NOT NULL,
    used_at bigint NOT NULL
) WITH (fillfactor = 50)
"""


def upgrade() -> None:
    # In SQLite a commit is done or not when the call returns.
    if op.get_context().dialect.name == "postgresql":
        op.execute(POSTGRESQL)
