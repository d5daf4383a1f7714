"""What tells whether a PostgreSQL table changed: a column, the server's counters, or the versions of its rows."""

from __future__ import annotations

from typing import Any

from connectors.datasets import ChangeMarker, ChangeMethod, DatasetKind, Description
from connectors.sql_text import quoted, quoted_ref

_COUNTED = (DatasetKind.TABLE, DatasetKind.MATERIALIZED_VIEW)
# Partitions are counted one by one. A TRUNCATE makes a new file, and counts nothing.
_COUNTERS = """
SELECT current_setting('track_counts') AS counted,
       coalesce(sum(s.n_tup_ins), 0) AS inserted, coalesce(sum(s.n_tup_upd), 0) AS updated,
       coalesce(sum(s.n_tup_del), 0) AS deleted,
       coalesce(sum(c.relfilenode::int8), 0) AS files, count(s.relid) AS tables,
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())::text AS since,
       pg_postmaster_start_time()::text AS started
FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.oid = $1::text::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree($1::text::regclass))
"""


async def marker_of(connection: Any, description: Description, column: str | None, patience: float) -> ChangeMarker:
    """By the column if one is given, else by the best that the server offers."""
    ref = quoted_ref(description.dataset.ref)
    if column is not None:
        sql = f"SELECT max({quoted(column)})::text FROM {ref}"  # noqa: S608 - quoted
        highest = await connection.fetchval(sql, timeout=patience)
        return ChangeMarker(
            ChangeMethod.WATERMARK, highest or "", highest, "rows that were deleted, or changed without a new value"
        )
    if description.dataset.kind not in _COUNTED:
        return ChangeMarker(ChangeMethod.NONE, None, None, "a view has no record of its changes")
    found = await connection.fetchrow(_COUNTERS, ref, timeout=patience)
    if found["counted"] == "on" and found["tables"]:
        return ChangeMarker(ChangeMethod.STATISTICS, "/".join(str(value) for value in tuple(found)[1:]))
    sql = f"SELECT count(*), coalesce(sum(xmin::text::int8), 0), max(xmin::text::int8) FROM {ref}"  # noqa: S608 - quoted
    rows = await connection.fetchrow(sql, timeout=patience)
    return ChangeMarker(ChangeMethod.ROW_VERSIONS, "/".join(str(value) for value in rows))
