"""What INSERT, UPDATE, MERGE and DELETE do to the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from analysis.lineage.edges import Edge, Influence, Kind, Origins, Problem, Transformation, edges_of, influences_of
from analysis.lineage.names import Catalog, ColumnRef, TableName, folded
from analysis.lineage.parsing import written
from analysis.lineage.queries import FILTERED, JOINED, Ctes, Resolver
from analysis.lineage.relations import Frame, Output, Relation

EXCLUDED = "excluded"
_CONDITION = Transformation(Kind.CONDITIONAL)


@dataclass(slots=True)
class Written:
    """What one statement writes. `reads_itself` says that values of the target go into it."""

    target: TableName | None
    edges: list[Edge] = field(default_factory=list)
    influences: list[Influence] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    reads_itself: bool = False

    def add(self, column: ColumnRef, origins: Origins) -> None:
        self.edges += edges_of(origins, column)
        self.reads_itself = self.reads_itself or any(ref.table == column.table for ref in origins)

    def influence(self, origins: Origins) -> None:
        if self.target is not None:
            self.influences += influences_of(origins, self.target)


def column_named(table: TableName, name: exp.Expr, catalog: Catalog) -> ColumnRef:
    """A column of a table that a statement writes to, spelled as the table has it."""
    node = name.this if isinstance(name, exp.Column | exp.ColumnDef) else name
    for known in catalog.columns(table) or ():
        if folded(known, catalog.dialect, quoted=True) == node.name:
            return ColumnRef(table, known)
    return ColumnRef(table, written(node))


def insert(statement: exp.Insert, resolver: Resolver) -> Written:
    made = statement.this
    table = _table_of(made)
    if table is None:
        resolver.note(Problem("unsupported", "What is inserted into is not a table."))
        return Written(None)
    target = resolver.catalog.find(tuple(part.name for part in table.parts))
    done = Written(target)
    ctes = resolver.ctes_of(statement, None, {})
    if statement.expression is None:
        return done
    output = resolver.query(statement.expression, None, ctes)
    done.influence(output.influences)
    columns = _target_columns(statement, made, target, output, resolver)
    if columns is not None:
        _pair(done, columns, output, resolver)
    _on_conflict(statement, table, target, columns or [], output, resolver, done, ctes)
    return done


def _table_of(made: exp.Expr | None) -> exp.Table | None:
    if isinstance(made, exp.Schema):
        made = made.this
    return made if isinstance(made, exp.Table) and not isinstance(made.this, exp.Func) else None


def _target_columns(
    statement: exp.Insert, made: exp.Expr, target: TableName, output: Output, resolver: Resolver
) -> list[ColumnRef] | None:
    """The columns that the values go into, one after the other."""
    if isinstance(made, exp.Schema) and made.expressions:
        return [column_named(target, name, resolver.catalog) for name in made.expressions]
    if statement.args.get("by_name"):
        named = [exp.to_identifier(column.key) for column in output.columns or ()]
        return [column_named(target, name, resolver.catalog) for name in named]
    known = resolver.catalog.columns(target)
    if known is None:
        name = ".".join(target)
        resolver.note(
            Problem("unknown_columns", f"The columns of {name} are not known, nor does the INSERT name them.", name)
        )
        return None
    return [ColumnRef(target, column) for column in known]


def _pair(done: Written, columns: Sequence[ColumnRef], output: Output, resolver: Resolver) -> None:
    values = output.columns
    if values is None:
        return
    if len(values) > len(columns):
        resolver.note(Problem("columns_differ", f"{len(values)} values are inserted into {len(columns)} columns."))
        return
    for column, value in zip(columns, values):  # noqa: B905 - the other columns get their defaults
        done.columns.append(column.column)
        done.add(column, value.origins)


def _on_conflict(
    statement: exp.Insert,
    table: exp.Table,
    target: TableName,
    columns: Sequence[ColumnRef],
    output: Output,
    resolver: Resolver,
    done: Written,
    ctes: Ctes,
) -> None:
    """DO UPDATE SET and ON DUPLICATE KEY UPDATE, in which `excluded` is the row that was to be inserted."""
    conflict = statement.args.get("conflict")
    if conflict is None or not conflict.expressions:
        return
    frame = Frame()
    frame.add(resolver.base(table.alias_or_name, target))
    names = [(folded(ref.column, resolver.catalog.dialect, quoted=True), ref.column) for ref in columns]
    frame.add(Relation(EXCLUDED, output.renamed(names), is_hidden=True))
    for name, value in _assignments(conflict.expressions):
        done.add(column_named(target, name, resolver.catalog), resolver.origins(_with_excluded(value), frame, ctes))
    if (condition := conflict.args.get("where")) is not None:
        done.influence(resolver.origins(condition.this, frame, ctes, FILTERED))


def _with_excluded(value: exp.Expr) -> exp.Expr:
    """MySQL's VALUES(column) as the column of `excluded`."""

    def change(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.upper() == "VALUES" and len(node.expressions) == 1:
            inner = node.expressions[0]
            inner = inner.this if isinstance(inner, exp.Column) else inner
            return exp.Column(this=inner.copy(), table=exp.to_identifier(EXCLUDED))
        return node

    return value.transform(change)


def _assignments(expressions: Iterable[exp.Expr]) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """Column and value of each `column = value`; `(a, b) = (SELECT x, y)` as two."""
    for each in expressions:
        left, right = each.this, each.expression
        if not isinstance(left, exp.Tuple):
            yield left, right
            continue
        for at, name in enumerate(left.expressions):
            yield name, _part_of(right, at)


def _part_of(value: exp.Expr, at: int) -> exp.Expr:
    query = value.this if isinstance(value, exp.Subquery) else None
    if isinstance(query, exp.Select) and at < len(query.expressions):
        single = query.copy()
        single.set("expressions", [single.expressions[at]])
        return exp.Subquery(this=single)
    if isinstance(value, exp.Tuple) and at < len(value.expressions):
        part: exp.Expr = value.expressions[at]
        return part
    return value


def update(statement: exp.Update, resolver: Resolver) -> Written:
    """UPDATE … FROM, and MySQL's UPDATE over a join."""
    table = _table_of(statement.this)
    if table is None:
        resolver.note(Problem("unsupported", "What is updated is not a table."))
        return Written(None)
    frame, influences = Frame(), Origins()
    ctes = resolver.ctes_of(statement, None, {})
    resolver.add_from(table, frame, ctes, influences)
    own = frame.relations[0]
    resolver.read_from(statement, frame, ctes, influences)
    _prefer_own(frame, own)
    done = Written(own.table)
    if (where := statement.args.get("where")) is not None:
        resolver.influence(influences, where.this, FILTERED, frame, ctes)
    done.influence(influences)
    _assign(done, own, statement.expressions, frame, resolver, ctes)
    return done


def _prefer_own(frame: Frame, own: Relation) -> None:
    """Only a single table that is updated may leave its columns unknown and unqualified."""
    frame.relations.sort(key=lambda relation: relation is not own)


def _assign(
    done: Written, own: Relation, expressions: Iterable[exp.Expr], frame: Frame, resolver: Resolver, ctes: Ctes
) -> None:
    for name, value in _assignments(expressions):
        qualifier = name.table if isinstance(name, exp.Column) else ""
        relation = frame.relation(qualifier) if qualifier else None
        table = (relation or own).table
        if table is None:
            resolver.note(Problem("unknown_table", f"{qualifier!r} is not a table that can be written to.", qualifier))
            continue
        column = column_named(table, name, resolver.catalog)
        done.columns.append(column.column)
        done.add(column, resolver.origins(value, frame, ctes))


def merge_into(statement: exp.Merge, resolver: Resolver) -> Written:
    table = _table_of(statement.this)
    if table is None:
        resolver.note(Problem("unsupported", "What is merged into is not a table."))
        return Written(None)
    frame, influences = Frame(), Origins()
    ctes = resolver.ctes_of(statement, None, {})
    resolver.add_from(table, frame, ctes, influences)
    own = frame.relations[0]
    resolver.add_from(statement.args["using"], frame, ctes, influences)
    done = Written(own.table)
    if (condition := statement.args.get("on")) is not None:
        resolver.influence(influences, condition, JOINED, frame, ctes)
    for when in statement.args["whens"].expressions:
        if (condition := when.args.get("condition")) is not None:
            resolver.influence(influences, condition, _CONDITION, frame, ctes)
        _then(done, own, when.args.get("then"), frame, resolver, ctes)
    done.influence(influences)
    return done


def _then(done: Written, own: Relation, then: exp.Expr | None, frame: Frame, resolver: Resolver, ctes: Ctes) -> None:
    if isinstance(then, exp.Update) and then.expressions:
        _assign(done, own, then.expressions, frame, resolver, ctes)
    elif isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
        _insert_of(done, own, then, frame, resolver, ctes)
    elif isinstance(then, exp.Update | exp.Insert):
        resolver.note(Problem("unsupported", "A MERGE whose columns are not named is not followed."))


def _insert_of(done: Written, own: Relation, then: exp.Insert, frame: Frame, resolver: Resolver, ctes: Ctes) -> None:
    assert own.table is not None
    values = then.expression.expressions
    if isinstance(then.this, exp.Tuple):
        columns = [column_named(own.table, name, resolver.catalog) for name in then.this.expressions]
    else:
        columns = [ColumnRef(own.table, name) for name in resolver.catalog.columns(own.table) or ()]
    if len(columns) < len(values):
        resolver.note(Problem("columns_differ", f"{len(values)} values are inserted into {len(columns)} columns."))
        return
    for column, value in zip(columns, values):  # noqa: B905 - the other columns get their defaults
        done.columns.append(column.column)
        done.add(column, resolver.origins(value, frame, ctes))


def delete(statement: exp.Delete, resolver: Resolver) -> Written:
    """No values are made, but which rows are left depends on columns."""
    table = _table_of(statement.this)
    if table is None:
        resolver.note(Problem("unsupported", "What is deleted from is not one table."))
        return Written(None)
    frame, influences = Frame(), Origins()
    ctes = resolver.ctes_of(statement, None, {})
    resolver.add_from(table, frame, ctes, influences)
    for source in statement.args.get("using") or ():
        resolver.add_from(source, frame, ctes, influences)
    if (where := statement.args.get("where")) is not None:
        resolver.influence(influences, where.this, FILTERED, frame, ctes)
    done = Written(frame.relations[0].table)
    done.influence(influences)
    return done
