"""Lineage of SQL that somebody has at hand: shown, or attached to the graph of the workspace."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.lineage.edges import Kind
from analysis.lineage.names import TableName
from handlers import view_lineage
from handlers.audit_trail import record
from handlers.catalog.showing import LineageProblem
from handlers.dataset_access import require_dataset
from handlers.lineage_nodes import KnownTables, Nodes
from handlers.names import RowId, Title
from handlers.registry import Context, Forbidden, InvalidRequest, NotFound, Operation, Permission
from handlers.source_access import require_source
from handlers.source_naming import sql_names, table_name
from handlers.view_lineage import Dependency, Statement
from storage import catalog, lineage_edges
from storage.data_sources import DataSource

ORIGIN = "sql"


class NamedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table by the name that the SQL means; `dataset_id` is null where the source does not show it."""

    name: str
    dataset_id: RowId | None


class NamedEdge(msgspec.Struct, frozen=True, kw_only=True):
    """`target` depends on `source`; a column is null where the whole table is meant."""

    source: NamedTable
    source_column: str | None
    target: NamedTable
    target_column: str | None
    kind: Kind
    is_direct: bool
    masking: bool


class SqlStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement does. `target` is null where it writes nothing."""

    statement: str
    target: NamedTable | None
    inputs: list[NamedTable]
    edges: list[NamedEdge]
    problems: list[LineageProblem]


class SqlLineage(msgspec.Struct, frozen=True, kw_only=True):
    """Of each statement. `attached` counts the edges that are in the graph now, under `name`."""

    statements: list[SqlStatement]
    name: str | None
    attached: int


class FollowSql(msgspec.Struct, frozen=True, kw_only=True):
    """The SQL is that of the source, and is only read, never executed.

    With `attach` its edges go into the graph under this name, in place of those that were attached under it before; a
    query alone needs `target_id`, the dataset that its result goes into.
    """

    source_id: RowId
    sql: Annotated[str, Meta(min_length=1, max_length=500_000)]
    target_id: RowId | None = None
    attach: Title | None = None


class DetachSql(msgspec.Struct, frozen=True, kw_only=True):
    """Takes what was attached under this name out of the graph."""

    source_id: RowId
    name: Title


class Detached(msgspec.Struct, frozen=True, kw_only=True):
    """How many edges were taken out."""

    edges: int


async def follow_sql(context: Context, request: FollowSql) -> SqlLineage:
    permission = Permission.READ if request.attach is None else Permission.WRITE
    source = await require_source(context, request.source_id, permission)
    target = await _target(context, source, request.target_id)
    async with context.parts.database.read() as connection:
        known, tables, schemas = await _tables(connection, source)
    names = sql_names(source, schemas)
    followed = await context.parts.workers.run(view_lineage.statements_followed, names, tables, request.sql, target)
    attached = 0
    if request.attach is not None:
        attached = await _attach(context, source, request.attach, followed, known)
    return SqlLineage(statements=[_statement(each, known) for each in followed], name=request.attach, attached=attached)


async def _target(context: Context, source: DataSource, target_id: int | None) -> TableName | None:
    if target_id is None:
        return None
    row = await require_dataset(context, target_id, Permission.READ)
    if row.source_id != source.id:
        raise InvalidRequest(
            f"target_id: the dataset {target_id} is of another source; it has to be one of the source {source.id}.",
            details={"parameter": "target_id"},
        )
    return table_name(row.schema, row.name)


async def _tables(
    connection: AsyncConnection, source: DataSource
) -> tuple[KnownTables, dict[TableName, list[str]], list[str]]:
    rows = [row for row in await catalog.list_of_source(connection, source.id) if row.missing_since is None]
    columns = await catalog.columns_of(connection, [row.id for row in rows])
    known = KnownTables({(row.schema, row.name): row.id for row in rows})
    # A table without columns is one that could not be described: nothing is known of what it has.
    tables = {
        table_name(row.schema, row.name): [column.name for column in columns[row.id]]
        for row in rows
        if row.id in columns
    }
    return known, tables, [row.schema for row in rows]


async def _attach(
    context: Context, source: DataSource, name: str, followed: list[Statement], known: KnownTables
) -> int:
    dependencies = [each for statement in followed for each in statement.dependencies]
    if not dependencies:
        problems = " ".join(problem.message for statement in followed for problem in statement.problems[:3])
        raise InvalidRequest(
            f"sql: there is nothing to attach: no statement makes something of something else. {problems}".strip(),
            code="no_lineage",
            details={"parameter": "sql"},
        )
    if any(not each.target for each in dependencies):
        raise InvalidRequest(
            "target_id: say which dataset the query's result goes into, or attach an INSERT or CREATE statement.",
            code="no_target",
            details={"parameter": "target_id"},
        )
    async with context.parts.database.write() as connection:
        nodes = Nodes(connection, source, known, context.now())
        edges = [await nodes.edge(each) for each in dependencies]
        origin_name = f"{source.id}:{name}"
        attached = await lineage_edges.replace(connection, source.workspace_id, ORIGIN, origin_name, edges)
        details = {"source_id": source.id, "name": name, "edges": attached}
        await record(connection, context, "lineage.sql.follow", str(source.id), details)
    return attached


async def detach_sql(context: Context, request: DetachSql) -> Detached:
    source = await require_source(context, request.source_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        origin_name = f"{source.id}:{request.name}"
        edges = await lineage_edges.forget(connection, source.workspace_id, ORIGIN, origin_name)
        details = {"source_id": source.id, "name": request.name, "edges": edges}
        await record(connection, context, "lineage.sql.detach", str(source.id), details)
    return Detached(edges=edges)


def _statement(followed: Statement, known: KnownTables) -> SqlStatement:
    return SqlStatement(
        statement=followed.statement,
        target=_table(followed.target, known) if followed.target else None,
        inputs=[_table(name, known) for name in followed.inputs],
        edges=[_edge(each, known) for each in followed.dependencies],
        problems=[LineageProblem(code=each.code, message=each.message, name=each.name) for each in followed.problems],
    )


def _table(name: TableName, known: KnownTables) -> NamedTable:
    return NamedTable(name=".".join(name), dataset_id=known.find(name))


def _edge(dependency: Dependency, known: KnownTables) -> NamedEdge:
    kind = Kind(dependency.kind)
    return NamedEdge(
        source=_table(dependency.source, known),
        source_column=dependency.source_column or None,
        target=_table(dependency.target, known),
        target_column=dependency.target_column or None,
        kind=kind,
        is_direct=kind.is_direct,
        masking=dependency.masking,
    )


OPERATIONS = (
    Operation(
        "lineage.sql.follow",
        FollowSql,
        SqlLineage,
        follow_sql,
        "POST /lineage/sql",
        Permission.SIGNED_IN,
        "Follow the columns through SQL text, and attach what was found if asked to.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "lineage.sql.detach",
        DetachSql,
        Detached,
        detach_sql,
        "POST /lineage/sql/detach",
        Permission.SIGNED_IN,
        "Take out of the graph what was attached to it.",
        errors=(Forbidden, NotFound),
    ),
)
