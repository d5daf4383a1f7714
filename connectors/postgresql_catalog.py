"""What a PostgreSQL database holds, out of its own catalog. Names are looked up there, never pasted into SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.datasets import (
    Column,
    Dataset,
    DatasetKind,
    DatasetRef,
    Description,
    ForeignKey,
    SourceIndex,
    UniqueKey,
)
from connectors.errors import DatasetNotFound
from connectors.postgresql_types import meaning_of
from connectors.sql_text import quoted_ref

_KINDS = {
    "r": DatasetKind.TABLE,
    "p": DatasetKind.TABLE,
    "v": DatasetKind.VIEW,
    "m": DatasetKind.MATERIALIZED_VIEW,
    "f": DatasetKind.FOREIGN_TABLE,
}

# A partition is a part of its table. Only what the account may read; never the server's own.
_DATASETS = """
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, obj_description(c.oid, 'pg_class') AS comment,
       CASE WHEN c.relkind = 'p' THEN (
           SELECT sum(greatest(child.reltuples, 0)) FROM pg_partition_tree(c.oid) tree
           JOIN pg_class child ON child.oid = tree.relid WHERE tree.isleaf
       ) WHEN c.relkind IN ('r', 'm') AND c.reltuples >= 0 THEN c.reltuples END::int8 AS rows,
       CASE WHEN c.relkind = 'p' THEN (
           SELECT sum(pg_total_relation_size(tree.relid)) FROM pg_partition_tree(c.oid) tree
       ) WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END::int8 AS bytes, c.oid::int8 AS oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
"""

_COLUMNS = """
SELECT a.attrelid::int8 AS oid, a.attname AS name,
       format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), NULL) AS meaning,
       format_type(a.atttypid, a.atttypmod) AS native, coalesce(base.typtype, t.typtype) = 'e' AS is_enum,
       NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS default,
       col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type base ON base.oid = nullif(t.typbasetype, 0)
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

_KEYS = """
SELECT k.conrelid::int8 AS oid, k.conname AS name, k.contype::text AS kind,
       n.nspname AS target_schema, f.relname AS target,
       ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY u(number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY place)::text[] AS columns,
       ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY u(number, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY place)::text[] AS targets
FROM pg_constraint k LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace n ON n.oid = f.relnamespace
WHERE k.conrelid = ANY($1::int8[]::oid[]) AND k.contype IN ('p', 'u', 'f')
ORDER BY k.conname
"""

_INDEXES = """
SELECT i.indrelid::int8 AS oid, c.relname AS name, i.indisunique AS is_unique,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, place, true)
             FROM generate_series(1, i.indnkeyatts) place)::text[] AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY($1::int8[]::oid[]) AND i.indisvalid
ORDER BY c.relname
"""

_VIEWS = """
SELECT view.oid, pg_get_viewdef(view.oid::oid, true) AS definition FROM unnest($1::int8[]) view(oid)
"""

_RIGHTS = """
SELECT r.rolsuper AS superuser, has_database_privilege(current_database(), 'CREATE') AS creates,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writable,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND has_table_privilege(c.oid, 'SELECT')) AS readable,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND has_table_privilege(c.oid, 'SELECT') AND row_security_active(c.oid)) AS filtered
FROM pg_roles r WHERE r.rolname = current_user
"""


async def datasets(connection: Any, schemas: tuple[str, ...], patience: float) -> list[Dataset]:
    """All that may be read, or what of it is in these schemas."""
    return [_dataset(row) for row in await _listed(connection, schemas, patience)]


async def describe_all(connection: Any, schemas: tuple[str, ...], patience: float) -> list[Description]:
    """The same with columns and keys, in one round trip for each kind of fact."""
    return await _described(connection, await _listed(connection, schemas, patience), patience)


async def _listed(connection: Any, schemas: tuple[str, ...], patience: float) -> Sequence[Any]:
    condition = " AND n.nspname = ANY($1::text[])" if schemas else ""
    arguments = (list(schemas),) if schemas else ()
    order = ' ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"'
    rows: Sequence[Any] = await connection.fetch(_DATASETS + condition + order, *arguments, timeout=patience)
    return rows


async def describe(connection: Any, ref: DatasetRef, patience: float) -> Description:
    """Without a schema, `public` is meant. Raises DatasetNotFound also for what the account may not read."""
    quoted_ref(ref)  # refuses what no name can be
    condition = " AND n.nspname = $1 AND c.relname = $2"
    found = await connection.fetchrow(_DATASETS + condition, ref.schema or "public", ref.name, timeout=patience)
    if found is None:
        raise DatasetNotFound(f"there is no {str(ref)!r}, or this account may not read it")
    return (await _described(connection, [found], patience))[0]


async def _described(connection: Any, found: Sequence[Any], patience: float) -> list[Description]:
    oids = [row["oid"] for row in found]
    columns = _by_oid(await connection.fetch(_COLUMNS, oids, timeout=patience))
    keys = _by_oid(await connection.fetch(_KEYS, oids, timeout=patience))
    indexes = _by_oid(await connection.fetch(_INDEXES, oids, timeout=patience))
    views = [row["oid"] for row in found if row["kind"] in "vm"]
    definitions = _by_oid(await connection.fetch(_VIEWS, views, timeout=patience)) if views else {}
    return [
        _description(row, *(facts.get(row["oid"], []) for facts in (columns, keys, indexes, definitions)))
        for row in found
    ]


def _by_oid(rows: Sequence[Any]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row["oid"], []).append(row)
    return grouped


def _description(found: Any, columns: list[Any], keys: list[Any], indexes: list[Any], views: list[Any]) -> Description:
    return Description(
        _dataset(found),
        tuple(_column(row, number) for number, row in enumerate(columns, 1)),
        primary_key=next((tuple(row["columns"]) for row in keys if row["kind"] == "p"), ()),
        foreign_keys=tuple(_foreign_key(row) for row in keys if row["kind"] == "f"),
        unique_keys=tuple(UniqueKey(row["name"], tuple(row["columns"])) for row in keys if row["kind"] == "u"),
        indexes=tuple(SourceIndex(row["name"], tuple(row["columns"]), row["is_unique"]) for row in indexes),
        definition=views[0]["definition"] if views else None,
    )


async def rights(connection: Any, patience: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words for what the account may do, and what is more than it should."""
    row = await connection.fetchrow(_RIGHTS, timeout=patience)
    words, warnings = [], []
    if row["readable"]:
        words.append("read")
    else:
        warnings.append("the account may read no table; grant it SELECT")
    if row["writable"]:
        words.append("write")
        warnings.append(f"the account may write to {row['writable']} tables; one that may only read is enough")
    if row["creates"]:
        words.append("create")
    if row["superuser"]:
        words.append("superuser")
        warnings.append("the account is a superuser; one that may only read is enough")
    if row["filtered"]:
        warnings.append(
            f"row security may hide rows of {row['filtered']} tables from the account; what it sees is taken for all"
        )
    return tuple(words), tuple(warnings)


def _dataset(row: Any) -> Dataset:
    ref = DatasetRef(row["schema"], row["name"])
    return Dataset(ref, _KINDS[row["kind"]], row["rows"], row["bytes"], row["comment"])


def _column(row: Any, ordinal: int) -> Column:
    return Column(
        row["name"],
        row["native"],
        meaning_of(row["meaning"], is_enum=row["is_enum"]),
        row["nullable"],
        ordinal,
        row["default"],
        row["comment"],
    )


def _foreign_key(row: Any) -> ForeignKey:
    target = DatasetRef(row["target_schema"], row["target"])
    return ForeignKey(row["name"], tuple(row["columns"]), target, tuple(row["targets"]))
