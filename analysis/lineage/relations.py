"""What a query gives and what it reads from: columns with their origins, and how a name finds its column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from analysis.lineage.edges import IDENTITY, Origins, Problem, Transformation, merge
from analysis.lineage.names import ColumnRef, TableName


@dataclass(slots=True)
class OutputColumn:
    """A column of a result: `key` is what names are compared with, `name` how it is written."""

    key: str
    name: str
    origins: Origins = field(default_factory=dict)


@dataclass(slots=True)
class Output:
    """A result. `influences` are the columns that decide on its rows; `columns` is None where they are not known."""

    columns: list[OutputColumn] | None
    influences: Origins = field(default_factory=dict)

    def renamed(self, names: Sequence[tuple[str, str]]) -> Output:
        """With the first columns called so: (key, written) each."""
        if self.columns is None or not names:
            return self
        renamed = [OutputColumn(key, name, column.origins) for (key, name), column in zip(names, self.columns)]  # noqa: B905
        return Output([*renamed, *self.columns[len(renamed) :]], self.influences)


@dataclass(slots=True)
class Relation:
    """What stands behind FROM under an alias. A base table has a `table`, whose columns need not be known.

    `merged` are the keys of columns that a USING took from it: they stand under the name once. `is_hidden` is the other
    side of a semi-join, seen by its condition only. `cause` says why its columns are unknown, if it is no base table.
    """

    alias: str
    output: Output
    table: TableName | None = None
    merged: set[str] = field(default_factory=set)
    is_hidden: bool = False
    cause: Problem | None = None
    _by_key: dict[str, OutputColumn] | None = None

    def find(self, key: str) -> OutputColumn | None:
        """The first column of that key. Call it only when the output does not change any more."""
        if self._by_key is None:
            self._by_key = {column.key: column for column in reversed(self.output.columns or ())}
        return self._by_key.get(key)

    @property
    def is_known(self) -> bool:
        return self.output.columns is not None

    def guessed(self, key: str, name: str) -> OutputColumn | None:
        """The column of a base table about which nothing else is known."""
        if self.table is None:
            return None
        return OutputColumn(key, name, {ColumnRef(self.table, name): {IDENTITY}})


class Frame:
    """The relations that a query's names may mean, and those of the queries around it."""

    def __init__(self, parent: Frame | None = None) -> None:
        self.parent = parent
        self.relations: list[Relation] = []
        # Names of a USING or NATURAL: one column out of several.
        self.shared: dict[str, OutputColumn] = {}

    def add(self, relation: Relation) -> None:
        self.relations.append(relation)

    def relation(self, alias: str) -> Relation | None:
        """The relation of this alias, here or around."""
        for frame in self.chain():
            for relation in frame.relations:
                if relation.alias == alias:
                    return relation
        return None

    def chain(self) -> Iterator[Frame]:
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.parent

    def resolve(self, key: str, name: str) -> OutputColumn | Problem:
        """The column that an unqualified name means."""
        for frame in self.chain():
            found = frame.own(key, name)
            if found is not None:
                return found
        return Problem("unknown_column", f"No table that is read here has a column {name!r}.", name)

    def own(self, key: str, name: str) -> OutputColumn | Problem | None:
        """The same among this query's own relations; None where it can only be one of a query around."""
        if key in self.shared:
            return self.shared[key]
        seen = [relation for relation in self.relations if not relation.is_hidden]
        known = [column for relation in seen if (column := relation.find(key)) is not None]
        if len(known) == 1:
            return known[0]
        if known:
            return Problem("ambiguous_column", f"{name!r} could be a column of several tables.", name)
        return self._by_elimination(seen, key, name)

    def _by_elimination(self, seen: list[Relation], key: str, name: str) -> OutputColumn | Problem | None:
        """It is of the one relation whose columns are not known, if there is just one, here and around."""
        unknown = [relation for relation in seen if not relation.is_known]
        if not unknown:
            return None
        around = self.parent.resolve(key, name) if self.parent is not None else None
        is_elsewhere = isinstance(around, OutputColumn) or (around is not None and around.code != "unknown_column")
        if len(unknown) == 1 and not is_elsewhere:
            relation = unknown[0]
            guessed = relation.guessed(key, name)
            return guessed or relation.cause or _unknown_columns(relation.alias, name)
        tables = ", ".join(sorted(relation.alias for relation in unknown))
        return Problem(
            "ambiguous_column",
            f"{name!r} could be a column of {tables}, whose columns are not known; qualify it, or give their columns.",
            name,
        )


def _unknown_columns(alias: str, name: str) -> Problem:
    return Problem("unknown_columns", f"The columns of {alias!r} are not known, so {name!r} cannot be followed.", name)


def column_of(relation: Relation, key: str, name: str) -> OutputColumn | Problem:
    """The column that a qualified name means."""
    if (found := relation.find(key)) is not None:
        return found
    if relation.is_known:
        return Problem("unknown_column", f"{relation.alias!r} has no column {name!r}.", name)
    return relation.guessed(key, name) or relation.cause or _unknown_columns(relation.alias, name)


def base_table(alias: str, table: TableName, columns: Sequence[tuple[str, str]] | None) -> Relation:
    """A table or view; `columns` are (key, name) each."""
    if columns is None:
        return Relation(alias, Output(None), table)
    made = [OutputColumn(key, name, {ColumnRef(table, name): {IDENTITY}}) for key, name in columns]
    return Relation(alias, Output(made), table)


def all_origins(output: Output, use: Transformation) -> Origins:
    """The origins of all columns of a result, used so."""
    origins: Origins = {}
    for column in output.columns or ():
        merge(origins, column.origins, use)
    return origins
