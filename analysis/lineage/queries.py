"""The result of a query, column by column: where its values come from, and what decides on its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from analysis.lineage.columns import column_names, column_origins, file_of, is_file, name_of, size_of
from analysis.lineage.edges import IDENTITY, Kind, Origins, Problem, Transformation, merge
from analysis.lineage.expressions import CONDITIONAL, SORTED, TRANSFORMED, Use, holds_aggregate, uses
from analysis.lineage.names import Catalog, TableName, folded
from analysis.lineage.parsing import Budget, written
from analysis.lineage.relations import Frame, Output, OutputColumn, Relation, all_origins, base_table
from analysis.lineage.stars import expand_star, shared_names

FILTERED = Transformation(Kind.FILTER)
JOINED = Transformation(Kind.JOIN)
GROUPED = Transformation(Kind.GROUP_BY)

# A recursive query's columns are followed again until nothing is added: each round adds a column's hop at least.
MAX_ROUNDS = 50
MAX_PROBLEMS = 100

Ctes = Mapping[str, Output]


class Resolver:
    """Follows the columns of one statement. What it cannot follow is in `problems`, what it read in `inputs`."""

    def __init__(self, catalog: Catalog, budget: Budget) -> None:
        self.catalog = catalog
        self.budget = budget
        self.inputs: dict[TableName, None] = {}
        self.problems: dict[Problem, None] = {}

    def note(self, problem: Problem) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems[problem] = None

    # Queries

    def query(self, node: exp.Expr, frame: Frame | None = None, ctes: Ctes | None = None) -> Output:
        """The result of a SELECT, a set operation, VALUES, or any of them in parentheses."""
        self.budget.spend()
        ctes = self.ctes_of(node, frame, ctes or {})
        if isinstance(node, exp.Select):
            return self._select(node, frame, ctes)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, frame, ctes)
        if isinstance(node, exp.Subquery):
            return self._in_parentheses(node, frame, ctes)
        if isinstance(node, exp.Values):
            return self._values(node, frame, ctes)
        if isinstance(node, exp.Table):
            inner = Frame(frame)
            self.add_from(node, inner, ctes)
            return inner.relations[0].output
        self.note(Problem("unsupported", f"{type(node).__name__} is not a query whose columns can be followed."))
        return Output(None)

    def _in_parentheses(self, node: exp.Subquery, frame: Frame | None, ctes: Ctes) -> Output:
        output = self.query(node.this, frame, ctes)
        self._order_by(node, Frame(frame), ctes, output)
        return output

    def ctes_of(self, node: exp.Expr, frame: Frame | None, ctes: Ctes) -> Ctes:
        clause = node.args.get("with_")
        if clause is None:
            return ctes
        known = dict(ctes)
        for cte in clause.expressions:
            names = column_names(cte.args.get("alias"))
            if clause.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                known[cte.alias] = self._recursive(cte, names, frame, known)
            else:
                known[cte.alias] = self.query(cte.this, frame, known).renamed(names)
        return known

    def _recursive(self, cte: exp.CTE, names: Sequence[tuple[str, str]], frame: Frame | None, ctes: Ctes) -> Output:
        """First what it begins with, then again with what it was so far, until nothing is added."""
        output = self.query(cte.this.this, frame, ctes).renamed(names)
        for _ in range(MAX_ROUNDS):
            size = size_of(output)
            output = self.query(cte.this, frame, {**ctes, cte.alias: output}).renamed(names)
            if size_of(output) == size:
                return output
        self.note(Problem("too_recursive", f"The recursion of {cte.alias!r} does not settle.", cte.alias))
        return output

    def _set_operation(self, node: exp.SetOperation, frame: Frame | None, ctes: Ctes) -> Output:
        """Its operands one after the other: a union of a thousand is a chain, not a tree."""
        chain: list[exp.SetOperation] = [node]
        while isinstance(chain[-1].this, exp.SetOperation):
            chain.append(chain[-1].this)
        scopes = [ctes]
        for each in chain[1:]:
            scopes.append(self.ctes_of(each, frame, scopes[-1]))
        output = self.query(chain[-1].this, frame, scopes[-1])
        for each, scope in zip(reversed(chain), reversed(scopes), strict=True):
            output = self._combine(output, self.query(each.expression, frame, scope), each)
            self._order_by(each, Frame(frame), scope, output)
        return output

    def _combine(self, left: Output, right: Output, node: exp.SetOperation) -> Output:
        influences: Origins = {}
        merge(influences, left.influences)
        merge(influences, right.influences)
        if isinstance(node, exp.Except):
            merge(influences, all_origins(right, FILTERED))
            return Output(left.columns, influences)
        if left.columns is None or right.columns is None:
            return Output(None, influences)
        columns = [OutputColumn(column.key, column.name, {}) for column in left.columns]
        for column, origin in zip(columns, left.columns, strict=True):
            self._merge(column.origins, origin.origins)
        for column, origin in self._paired(columns, right.columns, by_name=bool(node.args.get("by_name"))):
            self._merge(column.origins, origin.origins)
        return Output(columns, influences)

    def _paired(
        self, left: list[OutputColumn], right: list[OutputColumn], *, by_name: bool
    ) -> Iterator[tuple[OutputColumn, OutputColumn]]:
        if not by_name:
            if len(left) != len(right):
                self.note(Problem("columns_differ", f"A union of {len(left)} and {len(right)} columns."))
            yield from zip(left, right)  # noqa: B905 - told about above
            return
        known = {column.key: column for column in left}
        for column in right:
            if column.key not in known:
                left.append(OutputColumn(column.key, column.name, {}))
                known[column.key] = left[-1]
            yield known[column.key], column

    def _values(self, node: exp.Values, frame: Frame | None, ctes: Ctes) -> Output:
        columns: list[OutputColumn] = []
        for row in node.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            self.budget.spend(len(cells))
            for at, cell in enumerate(cells):
                if at == len(columns):
                    columns.append(OutputColumn(f"column{at + 1}", f"column{at + 1}"))
                self._merge(columns[at].origins, self.origins(cell, Frame(frame), ctes))
        return Output(columns)

    def _select(self, node: exp.Select, outer: Frame | None, ctes: Ctes) -> Output:
        frame = Frame(outer)
        influences: Origins = {}
        self.read_from(node, frame, ctes, influences)
        windows = {window.this.name: window for window in node.args.get("windows") or ()}
        columns = self._projections(node, frame, ctes, windows)
        output = Output(columns, influences)
        for clause, use in (("where", FILTERED), ("having", FILTERED), ("qualify", FILTERED)):
            if (part := node.args.get(clause)) is not None:
                self.influence(influences, part.this, use, frame, ctes, windows, columns)
        self._group_by(node, frame, ctes, output)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            self.influence(influences, distinct.args["on"], GROUPED, frame, ctes, windows, columns)
        self._order_by(node, frame, ctes, output)
        return output

    # What is read

    def read_from(self, node: exp.Expr, frame: Frame, ctes: Ctes, influences: Origins) -> None:
        if (from_ := node.args.get("from_")) is not None:
            self.add_from(from_.this, frame, ctes, influences)
        for join in node.args.get("joins") or ():
            self._join(join, frame, ctes, influences)
        for lateral in node.args.get("laterals") or ():
            self.add_from(lateral, frame, ctes, influences)

    def _join(self, join: exp.Join, frame: Frame, ctes: Ctes, influences: Origins) -> None:
        held = len(frame.relations)
        before = [relation for relation in frame.relations if not relation.is_hidden]
        self.add_from(join.this, frame, ctes, influences)
        added = frame.relations[held:]
        if join.is_semi_or_anti_join:
            for relation in added:
                relation.is_hidden = True
        using = [(name.name, written(name)) for name in join.args.get("using") or ()]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            using = self._natural(before, added)
        for key, origins in shared_names(frame, before, added, using, self.note):
            merge(influences, origins, JOINED)
            self.budget.spend(len(origins) + bool(key))
        if (condition := join.args.get("on")) is not None:
            self.influence(influences, condition, JOINED, _with_hidden(frame), ctes)

    def _natural(self, before: Sequence[Relation], added: Sequence[Relation]) -> list[tuple[str, str]]:
        if not all(relation.is_known for relation in (*before, *added)):
            self.note(Problem("unknown_columns", "A NATURAL JOIN needs the columns of all its tables to be known."))
            return []
        left = {column.key for relation in before for column in relation.output.columns or ()}
        right = [column for relation in added for column in relation.output.columns or ()]
        return [(column.key, column.name) for column in right if column.key in left]

    def add_from(self, node: exp.Expr, frame: Frame, ctes: Ctes, influences: Origins | None = None) -> None:
        """Adds what stands behind FROM or JOIN, and what is joined to it in parentheses."""
        influences = {} if influences is None else influences
        if isinstance(node, exp.Subquery) and not node.alias and isinstance(node.this, exp.Table | exp.Subquery):
            self.add_from(node.this, frame, ctes, influences)
        else:
            relation = self._relation(node, frame, ctes)
            merge(influences, relation.output.influences)
            frame.add(relation)
        for join in node.args.get("joins") or ():
            self._join(join, frame, ctes, influences)

    def _relation(self, node: exp.Expr, frame: Frame, ctes: Ctes) -> Relation:
        self.budget.spend()
        alias = node.args.get("alias")
        if node.args.get("pivots"):
            cause = Problem("unsupported", "The columns of a PIVOT are not followed.")
            self.note(cause)
            return Relation(node.alias_or_name, Output(None), cause=cause)
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Func):
            return self._table(node, ctes)
        if isinstance(node, exp.Subquery):
            # Only DuckDB lets a subquery see its neighbours without the word LATERAL.
            output = self.query(node.this, frame if self.catalog.dialect == "duckdb" else frame.parent, ctes)
            return Relation(node.alias, output.renamed(column_names(alias)))
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            output = self.query(node.this.this, frame, ctes)
            return Relation(node.alias, output.renamed(column_names(alias)))
        if isinstance(node, exp.Values):
            return Relation(node.alias, self._values(node, frame, ctes).renamed(column_names(alias)))
        return self._function(node, frame, ctes)

    def _table(self, node: exp.Table, ctes: Ctes) -> Relation:
        parts = tuple(part.name for part in node.parts)
        names = column_names(node.args.get("alias"))
        if len(parts) == 1 and parts[0] in ctes:
            output = ctes[parts[0]]
            cause = (
                None
                if output.columns is not None
                else Problem("unknown_columns", f"The columns of {parts[0]!r} are not known.", parts[0])
            )
            return Relation(node.alias_or_name, output.renamed(names), cause=cause)
        if self.catalog.dialect == "duckdb" and is_file(path := written(node.this)):
            return self.base(node.alias or path, self.catalog.file(path), names)
        return self.base(node.alias_or_name, self.catalog.find(parts), names)

    def base(self, alias: str, table: TableName, names: Sequence[tuple[str, str]] = ()) -> Relation:
        self.inputs[table] = None
        known = self.catalog.columns(table)
        columns = None if known is None else [(folded(name, self.catalog.dialect, quoted=True), name) for name in known]
        self.budget.spend(len(columns or ()))
        relation = base_table(alias, table, columns)
        relation.output = relation.output.renamed(names)
        return relation

    def _function(self, node: exp.Expr, frame: Frame, ctes: Ctes) -> Relation:
        """A function that gives rows. One that reads a file is the file; others make columns of their arguments."""
        function = node.this if isinstance(node, exp.Table | exp.Lateral) else node
        alias = node.args.get("alias")
        names = column_names(alias)
        if (file := file_of(function)) is not None:
            return self.base(node.alias or file, self.catalog.file(file), names)
        origins = self.origins(function, frame, ctes, TRANSFORMED)
        if not names:
            name = node.alias or function.name
            names = [(name, name)]
        return Relation(node.alias, Output([OutputColumn(key, name, dict(origins)) for key, name in names]))

    # What is made of it

    def _projections(
        self, node: exp.Select, frame: Frame, ctes: Ctes, windows: Mapping[str, exp.Expr]
    ) -> list[OutputColumn] | None:
        columns: list[OutputColumn] = []
        is_complete = True
        for at, item in enumerate(node.expressions):
            if item.is_star and isinstance(item, exp.Star | exp.Column):
                expanded = expand_star(item, frame, self.note, lambda each: self.origins(each, frame, ctes))
                is_complete = is_complete and expanded is not None
                self.budget.spend(sum(len(column.origins) + 1 for column in expanded or ()))
                columns += expanded or []
            else:
                key, name = name_of(item, at)
                columns.append(OutputColumn(key, name, self.origins(item, frame, ctes, windows=windows, made=columns)))
        return columns if is_complete else None

    def origins(
        self,
        expression: exp.Expr,
        frame: Frame,
        ctes: Ctes,
        use: Transformation = IDENTITY,
        windows: Mapping[str, exp.Expr] | None = None,
        made: Sequence[OutputColumn] = (),
    ) -> Origins:
        """Where the values of an expression come from. `made` are columns that it may mean by their alias."""
        origins: Origins = {}
        for each in uses(expression, use, (windows or {}).get):
            self._follow(origins, each, frame, ctes, made)
        return origins

    def _follow(self, origins: Origins, use: Use, frame: Frame, ctes: Ctes, made: Sequence[OutputColumn]) -> None:
        node, transformation = use
        if isinstance(node, exp.Column):
            found = column_origins(node, frame, made)
            if isinstance(found, Problem):
                self.note(found)
            else:
                self._merge(origins, found, transformation)
        elif isinstance(node, exp.Columns):
            self.note(Problem("unsupported", "Columns that are chosen by a pattern are not followed."))
        elif isinstance(node, exp.Exists):
            inner = self.query(node.this, frame, ctes)
            self._merge(origins, inner.influences, CONDITIONAL.after(transformation))
        else:
            inner = self.query(node, frame, ctes)
            self._merge(origins, all_origins(inner, transformation))
            self._merge(origins, inner.influences, transformation)

    # What decides on rows

    def influence(
        self,
        influences: Origins,
        expression: exp.Expr,
        use: Transformation,
        frame: Frame,
        ctes: Ctes,
        windows: Mapping[str, exp.Expr] | None = None,
        made: Sequence[OutputColumn] | None = None,
    ) -> None:
        self._merge(influences, self.origins(expression, frame, ctes, use, windows, made or ()), use)

    def _group_by(self, node: exp.Select, frame: Frame, ctes: Ctes, output: Output) -> None:
        group = node.args.get("group")
        if group is None:
            return
        for item in group.iter_expressions():
            self._by_item(item, GROUPED, frame, ctes, output)
        if group.args.get("all"):
            for item, column in zip(node.expressions, output.columns or ()):  # noqa: B905 - stars make more columns
                if not holds_aggregate(item):
                    self._merge(output.influences, column.origins, GROUPED)

    def _order_by(self, node: exp.Expr, frame: Frame, ctes: Ctes, output: Output) -> None:
        order = node.args.get("order")
        for item in order.expressions if order is not None else ():
            self._by_item(item.this if isinstance(item, exp.Ordered) else item, SORTED, frame, ctes, output, own=True)

    def _by_item(
        self, item: exp.Expr, use: Transformation, frame: Frame, ctes: Ctes, output: Output, *, own: bool = False
    ) -> None:
        """A position, an alias or an expression. ORDER BY looks for aliases first (`own`), GROUP BY for columns."""
        columns = output.columns or []
        if isinstance(item, exp.Literal) and item.is_int:
            at = int(item.name)
            if 1 <= at <= len(columns):
                self._merge(output.influences, columns[at - 1].origins, use)
            return
        if own and isinstance(item, exp.Column) and not item.table:
            alias = next((column for column in columns if column.key == item.name), None)
            if alias is not None:
                self._merge(output.influences, alias.origins, use)
                return
        self.influence(output.influences, item, use, frame, ctes, made=columns)

    def _merge(self, into: Origins, origins: Origins, use: Transformation = IDENTITY) -> None:
        self.budget.spend(len(origins) + 1)
        merge(into, origins, use)


def _with_hidden(frame: Frame) -> Frame:
    """For a join's condition, which sees the other side of a semi-join, too."""
    if not any(relation.is_hidden for relation in frame.relations):
        return frame
    seeing = Frame(frame.parent)
    seeing.shared = frame.shared
    seeing.relations = [Relation(each.alias, each.output, each.table, cause=each.cause) for each in frame.relations]
    return seeing
