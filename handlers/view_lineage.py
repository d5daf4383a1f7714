"""The lineage of a source's views and foreign keys, as a worker process computes it: by names, without ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from analysis.lineage.edges import Edge, ForeignKey, Influence, Kind, Problem, foreign_key_edges
from analysis.lineage.edges import Lineage as StatementLineage
from analysis.lineage.names import Catalog, TableName
from handlers.source_naming import SqlNames
from handlers.workers import Workers

# Of one job: the longest it may take, this many times the seconds of one view, is below the limit of a worker.
_VIEWS_AT_ONCE = 20
_VIEW_SECONDS = 3.0


class Dependency(NamedTuple):
    """An edge by names. A column is empty where the whole table is meant."""

    source: TableName
    source_column: str
    target: TableName
    target_column: str
    kind: str
    masking: bool = False


class Followed(NamedTuple):
    """What a view, or a statement, depends on, and what could not be followed."""

    target: TableName
    dependencies: tuple[Dependency, ...]
    problems: tuple[Problem, ...]


async def follow_views(
    workers: Workers,
    names: SqlNames,
    tables: Mapping[TableName, Sequence[str]],
    views: Sequence[tuple[TableName, str]],
) -> list[Followed]:
    """Off the event loop. `tables` are columns by table, `views` definitions by view."""
    found: list[Followed] = []
    for start in range(0, len(views), _VIEWS_AT_ONCE):
        some = list(views[start : start + _VIEWS_AT_ONCE])
        found += await workers.run(views_followed, names, dict(tables), some)
    return found


def views_followed(
    names: SqlNames, tables: Mapping[TableName, Sequence[str]], views: Sequence[tuple[TableName, str]]
) -> list[Followed]:
    from analysis.lineage.parsing import Limits  # noqa: PLC0415 - the parser is loaded where it is needed only
    from analysis.lineage.statements import lineage_of  # noqa: PLC0415

    catalog = Catalog(tables, dialect=names.dialect, search_path=names.search_path, database=names.database)
    limits = Limits(seconds=_VIEW_SECONDS)
    followed = []
    for view, definition in views:
        told = lineage_of(definition, catalog, target=view, limits=limits)
        # A definition is one statement; whatever it calls the view, it is this one.
        problems = tuple(dict.fromkeys(problem for lineage in told for problem in lineage.problems))
        found = [each._replace(target=view) for lineage in told for each in dependencies_of(lineage)]
        followed.append(Followed(view, tuple(dict.fromkeys(found)), problems))
    return followed


class Statement(NamedTuple):
    """What a statement does. `target` is None where it writes nothing, and empty for a query alone."""

    statement: str
    target: TableName | None
    inputs: tuple[TableName, ...]
    dependencies: tuple[Dependency, ...]
    problems: tuple[Problem, ...]


def statements_followed(
    names: SqlNames, tables: Mapping[TableName, Sequence[str]], sql: str, target: TableName | None
) -> list[Statement]:
    """Of each statement of the text; `target` is where a query alone goes. For a worker process."""
    from analysis.lineage.statements import lineage_of  # noqa: PLC0415 - the parser is loaded where it is needed only

    catalog = Catalog(tables, dialect=names.dialect, search_path=names.search_path, database=names.database)
    return [
        Statement(
            each.statement,
            each.target,
            each.inputs,
            tuple(dict.fromkeys(dependencies_of(each))),
            tuple(dict.fromkeys(each.problems)),
        )
        for each in lineage_of(sql, catalog, target=target)
    ]


def dependencies_of(lineage: StatementLineage) -> list[Dependency]:
    """Its edges by names; an input of which no column is named still is one."""
    if lineage.target is None:
        return []
    parts: tuple[Edge | Influence, ...] = (*lineage.edges, *lineage.influences)
    found = [_dependency(part) for part in parts]
    named = {each.source for each in found}
    return found + [
        Dependency(table, "", lineage.target, "", Kind.TRANSFORMATION.value)
        for table in lineage.inputs
        if table not in named
    ]


def _dependency(edge: Edge | Influence) -> Dependency:
    if isinstance(edge, Influence):
        return Dependency(edge.source.table, edge.source.column, edge.target, "", edge.kind.value)
    source, target = edge.source, edge.target
    return Dependency(source.table, source.column, target.table, target.column, edge.kind.value, edge.masking)


def key_dependencies(keys: Iterable[ForeignKey]) -> list[Dependency]:
    """The edges of foreign keys. One that does not say which columns it refers to is between tables."""
    found = []
    for key in keys:
        if len(key.columns) == len(key.referred_columns):
            found += [_dependency(edge) for edge in foreign_key_edges([key])]
        else:
            found.append(Dependency(key.referred_table, "", key.table, "", Kind.REFERENCE.value))
    return found
