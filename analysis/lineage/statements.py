"""Lineage of SQL text: for each statement which columns it reads, which it writes, and how these depend on those."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError

from analysis.lineage.edges import Lineage, Problem
from analysis.lineage.names import Catalog, ColumnRef, TableName, folded
from analysis.lineage.parsing import Budget, LimitError, Limits, parse, reason, with_whole_stack, written
from analysis.lineage.queries import Resolver
from analysis.lineage.relations import Output, OutputColumn
from analysis.lineage.writes import Written, delete, insert, merge_into, update

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
# These make, move or change no values.
_WITHOUT_VALUES = (
    exp.Alter,
    exp.Commit,
    exp.Comment,
    exp.Drop,
    exp.Grant,
    exp.Pragma,
    exp.Rollback,
    exp.Set,
    exp.Transaction,
    exp.TruncateTable,
    exp.Use,
)
ANONYMOUS: TableName = ()


def lineage_of(
    sql: str,
    catalog: Catalog,
    *,
    target: TableName | None = None,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Lineage]:
    """The lineage of each statement in the text. Never raises for what the text is: see `problems`.

    A query alone goes into `target`, as a view's definition does, or into the table without a name. What a statement
    makes is known to those after it.
    """
    budget = Budget(limits or Limits(), clock)
    try:
        return with_whole_stack(lambda: _each(sql, catalog.copy(), target, budget))
    except LimitError as error:
        return [Lineage("", target, problems=(error.problem,))]
    except SqlglotError as error:
        return [Lineage("", target, problems=(reason(error),))]
    except RecursionError:
        return [Lineage("", target, problems=(Problem("too_deep", "It is nested too deep."),))]


def _each(sql: str, catalog: Catalog, target: TableName | None, budget: Budget) -> list[Lineage]:
    statements = parse(sql, catalog.dialect, budget)
    if not statements:
        return [Lineage("", target, problems=(Problem("no_statement", "There is no statement in it."),))]
    return [_one(statement, catalog, target, budget) for statement in statements]


def _one(statement: exp.Expr, catalog: Catalog, target: TableName | None, budget: Budget) -> Lineage:
    resolver = Resolver(catalog, budget)
    name = _name_of(statement)
    try:
        done = _follow(statement, resolver, target)
    except LimitError as error:
        return Lineage(name, target, tuple(resolver.inputs), problems=(error.problem,))
    return Lineage(
        statement=name,
        target=done.target,
        inputs=tuple(table for table in resolver.inputs if table != done.target or done.reads_itself),
        edges=tuple(sorted(set(done.edges))),
        influences=tuple(sorted(set(done.influences))),
        problems=tuple(resolver.problems),
        columns=tuple(done.columns),
    )


def _follow(statement: exp.Expr, resolver: Resolver, target: TableName | None) -> Written:
    if isinstance(statement, _QUERIES):
        output = resolver.query(statement)
        return _filled(ANONYMOUS if target is None else target, output)
    if isinstance(statement, exp.Create):
        return _create(statement, resolver)
    if isinstance(statement, exp.Insert):
        return insert(statement, resolver)
    if isinstance(statement, exp.Update):
        return update(statement, resolver)
    if isinstance(statement, exp.Merge):
        return merge_into(statement, resolver)
    if isinstance(statement, exp.Delete):
        return delete(statement, resolver)
    if not isinstance(statement, _WITHOUT_VALUES):
        resolver.note(Problem("unsupported", f"What {_name_of(statement)} does to columns is not followed."))
    return Written(None)


def _filled(target: TableName, output: Output, names: Sequence[str] = ()) -> Written:
    """A table that is made of a result, its columns called as the result's or by these names."""
    done = Written(target)
    done.influence(output.influences)
    for at, column in enumerate(output.columns or ()):
        name = names[at] if at < len(names) else column.name
        done.columns.append(name)
        done.add(ColumnRef(target, name), column.origins)
    return done


def _create(statement: exp.Create, resolver: Resolver) -> Written:
    """CREATE VIEW and CREATE TABLE, with a query or without."""
    if statement.kind not in ("VIEW", "TABLE"):
        return Written(None)
    table = statement.find(exp.Table)
    if table is None:
        return Written(None)
    name = made_name(table, resolver.catalog)
    columns = list(_columns_of(statement.this))
    if not isinstance(statement.expression, _QUERIES):
        resolver.catalog.add(name, columns)
        return Written(name, columns=columns)
    output = resolver.query(statement.expression, None, resolver.ctes_of(statement, None, {}))
    done = _filled(name, output, columns)
    if output.columns is not None:
        resolver.catalog.add(name, _distinct(done.columns, output.columns))
    return done


def _distinct(names: Sequence[str], columns: Sequence[OutputColumn]) -> Sequence[str]:
    assert len(names) == len(columns)
    return tuple(dict.fromkeys(names))


def _columns_of(made: exp.Expr) -> Iterable[str]:
    """The columns that CREATE names."""
    for item in made.expressions if isinstance(made, exp.Schema) else ():
        if isinstance(item, exp.Identifier):
            yield written(item)
        elif isinstance(item, exp.ColumnDef | exp.Column):
            yield written(item.this)


def made_name(table: exp.Table, catalog: Catalog) -> TableName:
    """The whole name of a table that is made, spelled as it was written."""
    found = catalog.find(tuple(part.name for part in table.parts))
    spelled = tuple(written(part) for part in table.parts)
    same = tuple(folded(part, catalog.dialect, quoted=True) for part in spelled) == found[len(found) - len(spelled) :]
    return (*found[: len(found) - len(spelled)], *spelled) if same else found


def _name_of(statement: exp.Expr) -> str:
    if isinstance(statement, exp.Create):
        return f"CREATE {statement.kind}"
    if isinstance(statement, exp.Command):
        return str(statement.this).upper()
    return "QUERY" if isinstance(statement, _QUERIES) else str(statement.key).upper()
