"""Indexes that dear statements would read if they were there: where their plans read all of a large table and keep
little of it. Modest: columns that are compared for equality, and that tell rows apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from connectors.performance.figures import AdviceKind, IndexAdvice, StatementSnapshot, Unsupported
from connectors.performance.postgresql.index_catalog import Catalog, TableFacts
from connectors.performance.postgresql.plans import has_plan, plan_of_text
from connectors.performance.postgresql.session import Session
from connectors.performance.postgresql.statements import Statements
from connectors.sql_text import quoted

# As many are planned, of so many that took longest: others make tables and the like.
_PLANNED = 20
_DEAREST = 200
# Smaller tables are read as fast as their index.
_LEAST_ROWS = 10_000
_LEAST_BYTES = 1024 * 1024
# An index that leaves more is passed over by the planner.
_KEPT = 0.05
_COLUMNS = 3
_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z_0-9$]*)'
_EQUAL = re.compile(rf"\((?:{_NAME}\.)?(?P<column>{_NAME})(?:\)?::[a-z ]+)? = (?:ANY \()?[$?(]")

_DISTINCT = """
SELECT quote_ident(attname) AS name, CASE WHEN n_distinct < 0 THEN -n_distinct * $3 ELSE n_distinct END::float8 AS n
FROM pg_stats WHERE schemaname = $1 AND tablename = $2 AND NOT inherited
"""


@dataclass(slots=True)
class _Wanted:
    """An index, and the statements that would read it: key, calls, seconds."""

    table: TableFacts
    columns: tuple[str, ...]
    statements: list[dict[str, Any]] = field(default_factory=list)


async def missing(
    session: Session, catalog: Catalog, statements: Statements, snapshot: StatementSnapshot
) -> list[IndexAdvice]:
    wanted: dict[tuple[int, tuple[str, ...]], _Wanted] = {}
    dear = _dear(snapshot, session.facts.database)
    texts = await statements.texts([snapshot.keys[row] for row in dear])
    planned = [row for row in dear if (text := texts.get(snapshot.keys[row])) is not None and has_plan(text.text)]
    for row in planned[:_PLANNED]:
        key = snapshot.keys[row]
        plan = await plan_of_text(session, texts[key].text)
        if isinstance(plan, Unsupported):
            continue
        for table, columns in await _readable(session, catalog, plan.plan):
            found = wanted.setdefault((table.oid, columns), _Wanted(table, columns))
            found.statements.append(_evidence(snapshot, row, texts[key].normalised))
    return [_advice(one) for one in wanted.values() if not _exists(catalog, one)]


def _dear(snapshot: StatementSnapshot, database: str) -> list[int]:
    """Rows of the statements of this database that took longest in sum."""
    seconds = snapshot.counters[:, snapshot.names.index("seconds")] if len(snapshot.keys) else np.zeros(0)
    here = (int(row) for row in np.argsort(-seconds, kind="stable") if snapshot.databases[row] == database)
    return [row for row, _ in zip(here, range(_DEAREST), strict=False)]


async def _readable(
    session: Session, catalog: Catalog, plan: Mapping[str, Any]
) -> list[tuple[TableFacts, tuple[str, ...]]]:
    """Tables that the plan reads from end to end, with the columns by which it would find its rows."""
    tables = {(table.schema, table.name): table for table in catalog.tables.values()}
    found = []
    for node in _nodes(plan):
        table = tables.get((node.get("Schema", ""), node.get("Relation Name", "")))
        if node["Node Type"] != "Seq Scan" or table is None or table.rows < _LEAST_ROWS or table.bytes < _LEAST_BYTES:
            continue
        if node.get("Plan Rows", table.rows) > _KEPT * table.rows:
            continue
        compared = [match["column"] for match in _EQUAL.finditer(_conjunction(node.get("Filter", "")))]
        columns = await _telling(session, table, compared)
        if columns:
            found.append((table, columns))
    return found


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _conjunction(condition: str) -> str:
    """A condition of which each part has to hold; one with an alternative is none that an index would find."""
    return "" if " OR " in condition or "NOT " in condition else condition


async def _telling(session: Session, table: TableFacts, compared: Sequence[str]) -> tuple[str, ...]:
    """The columns that tell most rows apart, first those that tell more; none if all together keep too much."""
    if not compared:
        return ()
    rows = await session.rows(_DISTINCT, table.schema, table.name, table.rows)
    distinct = {row["name"]: row["n"] for row in rows if row["name"] in compared}
    best = sorted(distinct, key=lambda name: -distinct[name])[:_COLUMNS]
    chosen: list[str] = []
    kept = 1.0
    for name in best:
        if kept * table.rows <= 1:
            break
        chosen.append(name)
        kept /= max(distinct[name], 1.0)
    return tuple(chosen) if kept <= _KEPT else ()


def _exists(catalog: Catalog, wanted: _Wanted) -> bool:
    return any(
        index.table == wanted.table.oid
        and index.is_valid
        and not index.predicate
        and set(index.columns[: len(wanted.columns)]) == set(wanted.columns)
        for index in catalog.indexes
    )


def _evidence(snapshot: StatementSnapshot, row: int, normalised: str) -> dict[str, Any]:
    figures = dict(zip(snapshot.names, snapshot.counters[row].tolist(), strict=True))
    return {
        "key": snapshot.keys[row],
        "statement": normalised[:500],
        "calls": figures["calls"],
        "seconds": figures["seconds"],
    }


def _advice(wanted: _Wanted) -> IndexAdvice:
    table, columns = wanted.table, wanted.columns
    seconds = sum(one["seconds"] for one in wanted.statements)
    return IndexAdvice(
        AdviceKind.MISSING,
        table.schema,
        table.name,
        None,
        columns,
        None,
        f"Statements that took {seconds:.3g} s so far read all of its {table.rows:.0f} rows to find few of them.",
        f"CREATE INDEX CONCURRENTLY ON {quoted(table.schema)}.{quoted(table.name)} ({', '.join(columns)});",
        {
            "rows": table.rows,
            "table_bytes": table.bytes,
            "sequence_scans": table.sequence_scans,
            "writes": table.writes,
            "statements": wanted.statements,
        },
        (
            "Each write of the table then writes the index, too.",
            "It is judged by generic plans: look at the plan of the statement with values of yours before.",
        ),
    )
