"""What lineage consists of: which column goes into which, and how. The words are those of OpenLineage's facet."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from analysis.lineage.names import ColumnRef, TableName


class Kind(enum.StrEnum):
    """How a column depends on another. The first three are direct: its values are made of the other's."""

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    FILTER = "FILTER"
    JOIN = "JOIN"
    GROUP_BY = "GROUP_BY"
    SORT = "SORT"
    WINDOW = "WINDOW"
    CONDITIONAL = "CONDITIONAL"
    # A foreign key: not one of OpenLineage's, as no values flow.
    REFERENCE = "REFERENCE"

    @property
    def is_direct(self) -> bool:
        return self in _STRENGTH


_STRENGTH = {Kind.IDENTITY: 0, Kind.TRANSFORMATION: 1, Kind.AGGREGATION: 2}


class Transformation(NamedTuple):
    """`masking` says that the result does not show the values: a hash, a count."""

    kind: Kind
    masking: bool = False

    def after(self, inner: Transformation) -> Transformation:
        """What becomes of `inner` when its result is used like this."""
        if not self.kind.is_direct:
            return self
        if not inner.kind.is_direct:
            return inner
        kind = max(self.kind, inner.kind, key=_STRENGTH.__getitem__)
        return Transformation(kind, self.masking or inner.masking)


IDENTITY = Transformation(Kind.IDENTITY)

Origins = dict[ColumnRef, set[Transformation]]
"""Where values come from: columns of tables, and how each is used."""


def merge(into: Origins, origins: Origins, use: Transformation = IDENTITY) -> int:
    """Adds origins that are used so; how many there were."""
    for ref, transformations in origins.items():
        into.setdefault(ref, set()).update(use.after(each) for each in transformations)
    return len(origins)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A column of the target depends on a column."""

    source: ColumnRef
    target: ColumnRef
    kind: Kind
    masking: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Influence:
    """Which rows a table has, or their order, depends on a column: a filter, a join, a grouping, a sort."""

    source: ColumnRef
    target: TableName
    kind: Kind


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What could not be followed. `code` is a word for programs, `message` a sentence; `name` what it is about."""

    code: str
    message: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one statement does. `target` is None where nothing is written. Without problems it is complete."""

    statement: str
    target: TableName | None
    inputs: tuple[TableName, ...] = ()
    edges: tuple[Edge, ...] = ()
    influences: tuple[Influence, ...] = ()
    problems: tuple[Problem, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        return not self.problems


def edges_of(origins: Origins, target: ColumnRef) -> Iterable[Edge]:
    return (Edge(ref, target, kind, masking) for ref, uses in origins.items() for kind, masking in uses)


def influences_of(origins: Origins, target: TableName) -> Iterable[Influence]:
    return (Influence(ref, target, kind) for ref, uses in origins.items() for kind, _ in uses)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a table that hold values of another's columns, pairwise."""

    table: TableName
    columns: tuple[str, ...]
    referred_table: TableName
    referred_columns: tuple[str, ...]


def foreign_key_edges(keys: Iterable[ForeignKey]) -> list[Edge]:
    """An edge from each referred column to the one that refers to it.

    Raises ValueError for a key with different numbers of columns.
    """
    edges = []
    for key in keys:
        if len(key.columns) != len(key.referred_columns):
            raise ValueError(
                f"a foreign key of {'.'.join(key.table)} has {len(key.columns)} columns and refers to "
                f"{len(key.referred_columns)}; they go in pairs"
            )
        for column, referred in zip(key.columns, key.referred_columns, strict=True):
            source, target = ColumnRef(key.referred_table, referred), ColumnRef(key.table, column)
            edges.append(Edge(source, target, Kind.REFERENCE))
    return edges
