"""What a name in an expression means, and what the columns of a result are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlglot import exp

from analysis.lineage.edges import IDENTITY, Origins, Problem, merge
from analysis.lineage.expressions import TRANSFORMED
from analysis.lineage.parsing import written
from analysis.lineage.relations import Frame, Output, OutputColumn, Relation, all_origins, column_of

_FILE = re.compile(r"\.(parquet|csv|tsv|json|jsonl|ndjson|xlsx)(\.gz|\.zst)?$", re.IGNORECASE)


def column_origins(node: exp.Column, frame: Frame, made: Sequence[OutputColumn]) -> Origins | Problem:
    """Where the values of a column come from. `made` are columns of the result that it may mean by their alias."""
    if isinstance(node.this, exp.Star):
        relation = frame.relation(node.table)
        return all_origins(relation.output, IDENTITY) if relation is not None else {}
    key, name = node.name, written(node.this)
    if node.table:
        return _qualified(node, key, name, frame)
    found = frame.resolve(key, name)
    if isinstance(found, OutputColumn):
        return found.origins
    alias = next((column for column in made if column.key == key), None)
    if alias is not None:
        return alias.origins
    relation = frame.relation(key)
    if relation is not None and relation.is_known:
        return all_origins(relation.output, TRANSFORMED)
    return found


def _qualified(node: exp.Column, key: str, name: str, frame: Frame) -> Origins | Problem:
    relation = frame.relation(node.table)
    if relation is not None:
        found = column_of(relation, key, name)
        return found if isinstance(found, Problem) else found.origins
    # A field of a column that is a structure: column.field
    first = node.parts[0]
    if any(each.find(first.name) for each in _all(frame)):
        outer = frame.resolve(first.name, written(first))
        if isinstance(outer, OutputColumn):
            origins: Origins = {}
            merge(origins, outer.origins, TRANSFORMED)
            return origins
    return Problem("unknown_table", f"There is no table or alias {node.table!r} for {name!r}.", name)


def _all(frame: Frame) -> Iterator[Relation]:
    for each in frame.chain():
        yield from each.relations


def column_names(alias: exp.Expr | None) -> list[tuple[str, str]]:
    """The columns that an alias names, as in `t(a, b)`: (key, written) each."""
    columns = (alias.args.get("columns") if alias is not None else None) or ()
    names = [column if isinstance(column, exp.Identifier) else column.this for column in columns]
    return [(name.name, written(name)) for name in names]


def name_of(item: exp.Expr, at: int) -> tuple[str, str]:
    """What a column of a result is called: (key, written)."""
    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Alias):
        return item.alias, written(item.args["alias"])
    if isinstance(item, exp.Column):
        return item.name, written(item.this)
    name = item.output_name or (item.sql_name().lower() if isinstance(item, exp.Func) else "") or f"column{at + 1}"
    return name, name


def is_file(name: str) -> bool:
    """Whether a table's name is the path of a file, which DuckDB reads in its place."""
    return _FILE.search(name) is not None


def file_of(function: exp.Expr) -> str | None:
    """The path that a function such as read_parquet('…') reads, if it says so."""
    is_reader = isinstance(function, exp.ReadCSV | exp.ReadParquet) or (
        isinstance(function, exp.Anonymous) and function.name.lower().startswith(("read_", "parquet_scan"))
    )
    first = next(function.iter_expressions(), None) if is_reader else None
    return first.name if isinstance(first, exp.Literal) and first.is_string else None


def size_of(output: Output) -> int:
    """How much is known of a result: it only grows while a recursion is followed."""
    every = (*(column.origins for column in output.columns or ()), output.influences)
    return sum(len(uses) for origins in every for uses in origins.values())
