"""The lineage of many statements together: what lies upstream and downstream of a table or column.

A node is a column, or a table as a whole. Edges go from column to column; what decides on a table's rows goes from a
column to that table, and so reaches all its columns. Views that read each other in a circle are walked once, and
reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from analysis.lineage.edges import Edge, Influence, Kind, Lineage
from analysis.lineage.names import ColumnRef, TableName

# What a page can show, and a graph of a million edges does not fill the memory with.
MAX_REACHED = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A step of the graph. `target_column` is None where a column decides on the rows of a whole table."""

    source: ColumnRef
    target_table: TableName
    target_column: str | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Reached:
    """A column at this distance. `is_direct` says that values flow on every step of some shortest way there."""

    column: ColumnRef
    distance: int
    is_direct: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """What was found, nearest first. `is_cut` says that there is more, beyond the depth or the limit."""

    columns: tuple[Reached, ...]
    tables: tuple[TableName, ...]
    links: tuple[Link, ...]
    is_cut: bool


class LineageGraph:
    """Edges and influences, found from either end."""

    def __init__(self, edges: Iterable[Edge] = (), influences: Iterable[Influence] = ()) -> None:
        self._down: dict[ColumnRef, set[Link]] = {}
        self._up: dict[ColumnRef, set[Link]] = {}
        self._into_table: dict[TableName, set[Link]] = {}
        self._columns: dict[TableName, dict[ColumnRef, None]] = {}
        self.add(edges, influences)

    @classmethod
    def of(cls, lineages: Iterable[Lineage], others: Iterable[Edge] = ()) -> LineageGraph:
        """Of what statements do, and other edges, such as those of foreign keys."""
        graph = cls(others)
        for lineage in lineages:
            graph.add(lineage.edges, lineage.influences)
        return graph

    def add(self, edges: Iterable[Edge], influences: Iterable[Influence] = ()) -> None:
        for edge in edges:
            link = Link(edge.source, edge.target.table, edge.target.column, edge.kind)
            self._know(edge.source)
            self._know(edge.target)
            self._down.setdefault(edge.source, set()).add(link)
            self._up.setdefault(edge.target, set()).add(link)
        for influence in influences:
            link = Link(influence.source, influence.target, None, influence.kind)
            self._know(influence.source)
            self._columns.setdefault(influence.target, {})
            self._down.setdefault(influence.source, set()).add(link)
            self._into_table.setdefault(influence.target, set()).add(link)

    def _know(self, column: ColumnRef) -> None:
        self._columns.setdefault(column.table, {})[column] = None

    @property
    def tables(self) -> tuple[TableName, ...]:
        return tuple(self._columns)

    def columns_of(self, table: TableName) -> tuple[ColumnRef, ...]:
        """The columns of a table that the graph knows of."""
        return tuple(self._columns.get(table, ()))

    def downstream(self, start: ColumnRef | TableName, depth: int = 1, *, limit: int = MAX_REACHED) -> Reach:
        """What depends on a column, or on any column of a table, over at most `depth` steps."""
        return self._walk(start, depth, limit, self._links_down)

    def upstream(self, start: ColumnRef | TableName, depth: int = 1, *, limit: int = MAX_REACHED) -> Reach:
        """What a column, or any column of a table, depends on."""
        return self._walk(start, depth, limit, self._links_up)

    def impact(self, column: ColumnRef, *, limit: int = MAX_REACHED) -> Reach:
        """All that changes when the column does, however far away."""
        return self.downstream(column, depth=limit, limit=limit)

    def _links_down(self, column: ColumnRef) -> Iterator[tuple[Link, Iterable[ColumnRef]]]:
        for link in sorted(self._down.get(column, ()), key=_order):
            if link.target_column is None:
                yield link, self.columns_of(link.target_table)
            else:
                yield link, (ColumnRef(link.target_table, link.target_column),)

    def _links_up(self, column: ColumnRef) -> Iterator[tuple[Link, Iterable[ColumnRef]]]:
        into = (*self._up.get(column, ()), *self._into_table.get(column.table, ()))
        for link in sorted(into, key=_order):
            yield link, (link.source,)

    def _walk(
        self,
        start: ColumnRef | TableName,
        depth: int,
        limit: int,
        links_of: Callable[[ColumnRef], Iterator[tuple[Link, Iterable[ColumnRef]]]],
    ) -> Reach:
        begin = (start,) if isinstance(start, ColumnRef) else self.columns_of(start)
        reached = {column: Reached(column, 0, is_direct=True) for column in begin}
        links: dict[Link, None] = {}
        tables: dict[TableName, None] = {}
        waiting = deque(begin)
        is_cut = False
        while waiting:
            here = reached[waiting.popleft()]
            for link, ends in links_of(here.column):
                if here.distance >= depth or len(reached) >= limit:
                    is_cut = is_cut or any(end not in reached for end in ends)
                    continue
                links[link] = None
                tables[link.target_table] = None
                for end in ends:
                    self._reach(end, here, link, reached, waiting)
        found = tuple(each for column, each in reached.items() if column not in begin)
        tables.update(dict.fromkeys(each.column.table for each in found))
        own = {column.table for column in begin}
        return Reach(found, tuple(table for table in tables if table not in own), tuple(links), is_cut)

    def _reach(
        self, end: ColumnRef, here: Reached, link: Link, reached: dict[ColumnRef, Reached], waiting: deque[ColumnRef]
    ) -> None:
        is_direct = here.is_direct and link.kind.is_direct
        known = reached.get(end)
        if known is None:
            reached[end] = Reached(end, here.distance + 1, is_direct)
            waiting.append(end)
        elif is_direct and not known.is_direct and known.distance == here.distance + 1:
            reached[end] = Reached(end, known.distance, is_direct=True)

    def cycles(self) -> list[tuple[TableName, ...]]:
        """The groups of tables that depend on each other in a circle, or on themselves; each sorted.

        Foreign keys do not count: no values flow along them.
        """
        after: dict[TableName, set[TableName]] = {table: set() for table in self._columns}
        for source, links in self._down.items():
            after[source.table].update(link.target_table for link in links if link.kind is not Kind.REFERENCE)
        groups = _connected(after)
        return sorted(tuple(sorted(group)) for group in groups if len(group) > 1 or group[0] in after[group[0]])


def _order(link: Link) -> tuple[ColumnRef, TableName, str, str]:
    return link.source, link.target_table, link.target_column or "", link.kind


def _connected(after: dict[TableName, set[TableName]]) -> list[list[TableName]]:
    """The strongly connected groups (Tarjan), without recursion: chains of views may be long."""
    index: dict[TableName, int] = {}
    low: dict[TableName, int] = {}
    path: list[TableName] = []
    on_path: set[TableName] = set()
    groups: list[list[TableName]] = []

    def enter(table: TableName) -> tuple[TableName, Iterator[TableName]]:
        index[table] = low[table] = len(index)
        path.append(table)
        on_path.add(table)
        return table, iter(sorted(after[table]))

    def leave(table: TableName) -> None:
        if low[table] != index[table]:
            return
        group: list[TableName] = []
        while not group or group[-1] != table:
            group.append(path.pop())
            on_path.discard(group[-1])
        groups.append(group)

    for root in after:
        if root in index:
            continue
        waiting = [enter(root)]
        while waiting:
            table, following = waiting[-1]
            step = next(following, None)
            if step is None:
                waiting.pop()
                leave(table)
                if waiting:
                    low[waiting[-1][0]] = min(low[waiting[-1][0]], low[table])
            elif step not in index:
                waiting.append(enter(step))
            elif step in on_path:
                low[table] = min(low[table], index[step])
    return groups
