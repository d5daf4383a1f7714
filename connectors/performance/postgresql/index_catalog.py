"""The indexes, tables and foreign keys of the connected database, with what was counted of them."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.performance.postgresql.relations import OWN, RESET
from connectors.performance.postgresql.session import Session
from connectors.sql_text import quoted

# More than any database that people look at index by index.
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class TableFacts:
    """`writes` are rows inserted, updated and deleted since the statistics began; `bytes` as of the last vacuum."""

    oid: int
    schema: str
    name: str
    rows: float
    bytes: int
    sequence_scans: int
    sequence_rows: int
    writes: int
    deletes: int

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """`keys` say for each key column what it is, with its operator class, collation and order: equal ones are equal
    columns. `width` is the mean bytes of an entry, None where the statistics may not be seen."""

    table: int
    schema: str
    name: str
    method: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    included: frozenset[str]
    predicate: str
    is_unique: bool
    is_constraint: bool
    is_replica_identity: bool
    is_valid: bool
    is_being_built: bool
    is_part: bool
    has_expressions: bool
    scans: int
    bytes: int
    rows: float
    width: float | None

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class ForeignKeyFacts:
    name: str
    table: int
    columns: tuple[str, ...]
    target: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """`since_ms` is when the statistics began, by the server's clock, `age_seconds` how long ago that is."""

    tables: dict[int, TableFacts]
    indexes: list[IndexFacts]
    foreign_keys: list[ForeignKeyFacts]
    since_ms: int
    at_ms: float
    age_seconds: float
    is_standby: bool
    standbys: int


# Statistics that nobody ever reset began with the cluster, or with its last crash, as those of the server say.
_STATE = f"""
SELECT (since.at * 1000)::int8 AS since_ms, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at_ms,
       (extract(epoch FROM clock_timestamp()) - since.at)::float8 AS age_seconds,
       pg_is_in_recovery() AS is_standby, (SELECT count(*) FROM pg_stat_replication) AS standbys
FROM (SELECT coalesce({RESET}, extract(epoch FROM stats_reset)) AS at FROM pg_stat_bgwriter) since
"""  # noqa: S608 - ours
_TABLES = f"""
SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, greatest(c.reltuples, 0)::float8 AS rows,
       c.relpages::int8 * current_setting('block_size')::int8 AS bytes,
       coalesce(pg_stat_get_numscans(c.oid), 0) AS sequence_scans,
       coalesce(pg_stat_get_tuples_returned(c.oid), 0) AS sequence_rows,
       coalesce(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)
                + pg_stat_get_tuples_deleted(c.oid), 0) AS writes,
       coalesce(pg_stat_get_tuples_deleted(c.oid), 0) AS deletes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND {OWN} LIMIT {_MOST}
"""  # noqa: S608 - ours
_INDEXES = f"""
SELECT i.indrelid::int8 AS table, n.nspname AS schema, c.relname AS name, m.amname AS method, keys.keys, keys.columns,
       keys.included, coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate, i.indisunique AS is_unique,
       i.indisexclusion OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) AS is_constraint,
       i.indisreplident OR i.indisprimary AS is_replica_identity, i.indisvalid AND i.indisready AS is_valid,
       EXISTS (SELECT FROM pg_stat_progress_create_index b WHERE b.index_relid = i.indexrelid) AS is_being_built,
       c.relispartition AS is_part, i.indexprs IS NOT NULL AS has_expressions,
       coalesce(pg_stat_get_numscans(i.indexrelid), 0) AS scans,
       c.relpages::int8 * current_setting('block_size')::int8 AS bytes, greatest(c.reltuples, 0)::float8 AS rows,
       keys.width
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class t ON t.oid = i.indrelid,
LATERAL (
    SELECT array_agg(concat_ws(' ', pg_get_indexdef(i.indexrelid, position, true), i.indclass[position - 1],
                               i.indcollation[position - 1], i.indoption[position - 1]) ORDER BY position)
               FILTER (WHERE position <= i.indnkeyatts) AS keys,
           array_agg(pg_get_indexdef(i.indexrelid, position, true) ORDER BY position)
               FILTER (WHERE position <= i.indnkeyatts) AS columns,
           array_agg(pg_get_indexdef(i.indexrelid, position, true)) FILTER (WHERE position > i.indnkeyatts)
               AS included,
           CASE WHEN count(s.avg_width) = count(*) THEN sum(s.avg_width) END::float8 AS width
    FROM generate_series(1, i.indnatts) position
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[position - 1]
    LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname
        AND NOT s.inherited
) keys
WHERE c.relkind = 'i' AND {OWN} LIMIT {_MOST}
"""  # noqa: S608 - ours
_FOREIGN_KEYS = f"""
SELECT k.conname AS name, k.conrelid::int8 AS table, k.confrelid::int8 AS target,
       (SELECT array_agg(quote_ident(a.attname) ORDER BY k.place) FROM unnest(k.conkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.number) AS columns
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {OWN} LIMIT {_MOST}
"""  # noqa: S608 - ours


async def catalog_of(session: Session) -> Catalog:
    [state] = await session.once(_STATE)
    tables = {row["oid"]: TableFacts(*row.values()) for row in await session.once(_TABLES)}
    indexes = [
        IndexFacts(
            **{
                **row,
                "keys": tuple(row["keys"]),
                "columns": tuple(row["columns"]),
                "included": frozenset(row["included"] or ()),
            }
        )
        for row in await session.once(_INDEXES)
    ]
    foreign_keys = [
        ForeignKeyFacts(row["name"], row["table"], tuple(row["columns"]), row["target"])
        for row in await session.once(_FOREIGN_KEYS)
    ]
    return Catalog(tables, indexes, foreign_keys, **state)
