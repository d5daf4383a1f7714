"""What statements came to at a MySQL or MariaDB server, as its performance schema sums them up by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from connectors import errors
from connectors.mysql_session import Session
from connectors.performance.figures import StatementSnapshot, StatementText, Unsupported
from connectors.performance.literals import without_literals

NAMES = ("calls", "seconds", "lock_seconds", "errors", "rows", "rows_examined", "temp_disk_tables", "without_index")
# The server measures in picoseconds.
_SNAPSHOT = """
SELECT COALESCE(SCHEMA_NAME, ''), COALESCE(DIGEST, ''), COUNT_STAR, SUM_TIMER_WAIT / 1e12, SUM_LOCK_TIME / 1e12,
  SUM_ERRORS, SUM_ROWS_SENT + SUM_ROWS_AFFECTED, SUM_ROWS_EXAMINED, SUM_CREATED_TMP_DISK_TABLES, SUM_NO_INDEX_USED,
  CAST(UNIX_TIMESTAMP(FIRST_SEEN) * 1000000 AS UNSIGNED)
FROM performance_schema.events_statements_summary_by_digest
"""
_TEXTS = """
SELECT COALESCE(SCHEMA_NAME, ''), DIGEST, DIGEST_TEXT FROM performance_schema.events_statements_summary_by_digest
WHERE DIGEST IN ({})
"""
_LOST = "SHOW GLOBAL STATUS LIKE 'Performance_schema_digest_lost'"
# The row in which the server counts what it has no room for.
_OVERFLOW = ""


async def snapshot(session: Session, at_ms: int, epoch: str) -> StatementSnapshot | Unsupported:
    [(is_on,)] = await session.execute("SELECT @@performance_schema")
    if not is_on:
        return Unsupported(
            "statements",
            "The server's performance schema is off, so that it counts no statements.",
            "[mysqld]\nperformance_schema = ON",
        )
    try:
        rows = await session.execute(_SNAPSHOT)
        [(_, lost)] = await session.execute(_LOST)
    except (errors.RightsMissing, errors.DatasetNotFound):
        return Unsupported(
            "statements",
            "The account may not read the performance schema.",
            "GRANT SELECT ON performance_schema.* TO '…'@'%';",
        )
    return StatementSnapshot(
        at_ms=at_ms,
        epoch=epoch,
        keys=[_key(schema, digest) for schema, digest, *_ in rows],
        names=NAMES,
        counters=np.array([row[2:10] for row in rows], dtype=np.float64).reshape(len(rows), len(NAMES)),
        since=np.array([int(row[10] or 0) for row in rows], dtype=np.int64),
        databases=[schema for schema, *_ in rows],
        users=[""] * len(rows),
        evicted=int(lost),
    )


async def texts(session: Session, keys: Sequence[str]) -> dict[str, StatementText]:
    """Texts have no literals from the beginning, as the server keeps them."""
    digests = sorted({key.partition(".")[0] for key in keys} - {_OVERFLOW})
    if not digests:
        return {}
    rows = await session.execute(_TEXTS.format(", ".join(["%s"] * len(digests))), digests)
    wanted = set(keys)
    return {
        key: StatementText(text or "", without_literals(text or "", backslashes=True))
        for schema, digest, text in rows
        if (key := _key(schema, digest)) in wanted
    }


def _key(schema: str, digest: str) -> str:
    """A digest is of the text alone. What the server has no room for has none: its key begins with the dot."""
    return f"{digest}.{hashlib.blake2b(schema.encode(), digest_size=6).hexdigest()}"
