"""What could be better with the indexes of a database, out of its catalog and what it counted. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.performance.figures import AdviceKind, IndexAdvice
from connectors.performance.postgresql.index_catalog import Catalog, ForeignKeyFacts, IndexFacts, TableFacts

# What runs once a week is not unused.
UNUSED_AFTER_SECONDS = 7 * 86_400.0
# Below this nobody wins anything.
_LEAST_BYTES = 64 * 1024
_LEAST_ROWS = 10_000
_BLOATED_TIMES = 2.0
_BLOATED_BYTES = 8 * 1024 * 1024
# Of an entry: its header and the pointer to it; of a page: what is free for entries, and how far it is filled at first.
_ENTRY_BYTES = 12.0
_PAGE_BYTES = 8192.0
_PAGE_FILL = 8150.0 * 0.9


def advices(catalog: Catalog, unused_after_seconds: float = UNUSED_AFTER_SECONDS) -> list[IndexAdvice]:
    """Each index at most once: what is broken first, what another one does as well, then what nobody uses."""
    found: dict[str, IndexAdvice] = {}
    rules = (
        _invalid(catalog),
        _covered(catalog),
        _unused(catalog) if catalog.age_seconds >= unused_after_seconds else (),
        _bloated(catalog),
    )
    for rule in rules:
        for index, advice in rule:
            found.setdefault(index.sql, advice)
    # What is to do the work of another one is not to go as well.
    kept = {(one.schema, one.evidence["instead"]) for one in found.values() if "instead" in one.evidence}
    unused = [name for name, one in found.items() if one.kind is AdviceKind.UNUSED and (one.schema, one.index) in kept]
    for name in unused:
        del found[name]
    return [*found.values(), *_foreign_keys(catalog)]


def _invalid(catalog: Catalog) -> Iterator[tuple[IndexFacts, IndexAdvice]]:
    for index in catalog.indexes:
        if not index.is_valid and not index.is_being_built:
            reason = "It was never completed: it is written to, and no statement reads it."
            sql = f"DROP INDEX CONCURRENTLY {index.sql};"
            yield index, _advice(catalog, AdviceKind.INVALID, index, reason, sql, {"rows": index.rows})


def _covered(catalog: Catalog) -> Iterator[tuple[IndexFacts, IndexAdvice]]:
    """Duplicates and those whose columns are the first ones of another index."""
    by_table: dict[int, list[IndexFacts]] = defaultdict(list)
    for index in catalog.indexes:
        if index.is_valid and not index.is_part:
            by_table[index.table].append(index)
    for indexes in by_table.values():
        # Of two equal ones that stays which is needed more.
        indexes.sort(key=lambda one: (one.is_constraint, one.is_unique, one.scans, one.name))
        for place, index in enumerate(indexes):
            others = [other for number, other in enumerate(indexes) if number > place or not _equal(index, other)]
            better = [other for other in others if _covers(other, index)]
            if better:
                # An equal one rather than a larger one.
                yield index, _of_covered(catalog, index, max(better, key=lambda other: _equal(index, other)))


def _of_covered(catalog: Catalog, index: IndexFacts, better: IndexFacts) -> IndexAdvice:
    kind = AdviceKind.DUPLICATE if _equal(index, better) else AdviceKind.REDUNDANT
    columns = "the same columns" if kind is AdviceKind.DUPLICATE else "these columns first, and more"
    reason = f"The index {better.name!r} has {columns}."
    sql = f"DROP INDEX CONCURRENTLY {index.sql};"
    figures = {"instead": better.name, "scans": index.scans, "scans_of_other": better.scans}
    caveats = ["The other index is larger; reading it takes a little longer."] if kind is AdviceKind.REDUNDANT else []
    return _advice(catalog, kind, index, reason, sql, figures, caveats)


def _equal(one: IndexFacts, other: IndexFacts) -> bool:
    return (one.method, one.keys, one.included, one.predicate) == (
        other.method,
        other.keys,
        other.included,
        other.predicate,
    )


def _covers(other: IndexFacts, index: IndexFacts) -> bool:
    """Whether whatever `index` does is done by `other`."""
    if other is index or other.method != index.method or other.predicate != index.predicate:
        return False
    if index.is_constraint or index.is_replica_identity:
        return False
    same = index.keys == other.keys
    if index.is_unique and not (same and other.is_unique):
        return False
    is_prefix = index.method == "btree" and other.keys[: len(index.keys)] == index.keys
    return (same or is_prefix) and index.included <= other.included | set(other.columns)


def _unused(catalog: Catalog) -> Iterator[tuple[IndexFacts, IndexAdvice]]:
    for index in catalog.indexes:
        keeps = index.is_unique or index.is_constraint or index.is_replica_identity or index.is_part
        if index.scans or keeps or not index.is_valid or index.bytes < _LEAST_BYTES:
            continue
        days = catalog.age_seconds / 86_400
        reason = f"No statement has read it for {days:.0f} days, as far back as the statistics go."
        caveats = [*_elsewhere(catalog), *_supports(catalog, index)]
        if index.has_expressions:
            caveats.append("The planner also takes statistics of its expressions from it.")
        table = catalog.tables.get(index.table)
        figures = {"scans": 0, "days": round(days, 1), "writes": table.writes if table is not None else None}
        sql = f"DROP INDEX CONCURRENTLY {index.sql};"
        yield index, _advice(catalog, AdviceKind.UNUSED, index, reason, sql, figures, caveats)


def _elsewhere(catalog: Catalog) -> list[str]:
    if catalog.is_standby:
        return ["This is a standby: on the primary the index may be used."]
    if catalog.standbys:
        return ["Standbys count for themselves what they read: look there as well."]
    return ["A standby that is not connected now would count for itself what it reads."]


def _supports(catalog: Catalog, index: IndexFacts) -> list[str]:
    return [
        f"It supports the foreign key {key.name!r}: without it each delete in the other table reads all of this one."
        for key in catalog.foreign_keys
        if key.table == index.table and set(index.columns[: len(key.columns)]) == set(key.columns)
    ]


def _bloated(catalog: Catalog) -> Iterator[tuple[IndexFacts, IndexAdvice]]:
    for index in catalog.indexes:
        if index.method != "btree" or index.width is None or not index.is_valid or not index.rows:
            continue
        needed = index.rows * (_aligned(index.width) + _ENTRY_BYTES) / _PAGE_FILL * _PAGE_BYTES
        if index.bytes < needed * _BLOATED_TIMES or index.bytes - needed < _BLOATED_BYTES:
            continue
        reason = f"It takes about {index.bytes / needed:.1f} times the room that its entries need."
        caveats = ["The room needed is an estimate from mean widths, as of the last vacuum and analyze."]
        figures = {"bytes": index.bytes, "needed": round(needed), "rows": index.rows}
        sql = f"REINDEX INDEX CONCURRENTLY {index.sql};"
        won = round(index.bytes - needed)
        yield index, _advice(catalog, AdviceKind.BLOATED, index, reason, sql, figures, caveats, won)


def _aligned(width: float) -> float:
    return -(-width // 8) * 8


def _foreign_keys(catalog: Catalog) -> Iterator[IndexAdvice]:
    for key in catalog.foreign_keys:
        table, target = catalog.tables.get(key.table), catalog.tables.get(key.target)
        if table is None or table.rows < _LEAST_ROWS or _is_indexed(catalog, key):
            continue
        yield _of_foreign_key(key, table, target)


def _is_indexed(catalog: Catalog, key: ForeignKeyFacts) -> bool:
    return any(
        index.table == key.table
        and index.is_valid
        and not index.predicate
        and set(index.columns[: len(key.columns)]) == set(key.columns)
        for index in catalog.indexes
    )


def _of_foreign_key(key: ForeignKeyFacts, table: TableFacts, target: TableFacts | None) -> IndexAdvice:
    other = f"{target.schema}.{target.name}" if target is not None else "the other table"
    return IndexAdvice(
        AdviceKind.MISSING,
        table.schema,
        table.name,
        None,
        key.columns,
        None,
        f"The foreign key {key.name!r} has no index: each row that is deleted from {other}, or whose key changes, reads"
        " all of this table.",
        f"CREATE INDEX CONCURRENTLY ON {table.sql} ({', '.join(key.columns)});",
        {"rows": table.rows, "deletes_of_other": target.deletes if target is not None else None},
        ("Each write of the table then writes the index, too.",),
    )


def _advice(
    catalog: Catalog,
    kind: AdviceKind,
    index: IndexFacts,
    reason: str,
    sql: str,
    evidence: Mapping[str, Any],
    caveats: Sequence[str] = (),
    won: int | None = None,
) -> IndexAdvice:
    table = catalog.tables.get(index.table)
    return IndexAdvice(
        kind,
        index.schema,
        table.name if table is not None else "",
        index.name,
        index.columns,
        index.bytes if won is None else won,
        reason,
        sql,
        evidence,
        tuple(caveats),
    )
