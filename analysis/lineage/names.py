"""How SQL names things, and which table and column a name in a statement means.

A table's name is a tuple of parts as the database spells them: `("public", "orders")`. Which spellings mean the same
differs: PostgreSQL folds what is not quoted to lower case and takes quoted names to the letter; SQLite, DuckDB and
MySQL compare without case and keep what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

TableName = tuple[str, ...]

DIALECTS = ("postgres", "mysql", "sqlite", "duckdb")
EXACT_DIALECT = "postgres"


class ColumnRef(NamedTuple):
    """A column of a table or view."""

    table: TableName
    column: str

    def __str__(self) -> str:
        return f"{'.'.join(self.table)}.{self.column}"


def folded(name: str, dialect: str, *, quoted: bool) -> str:
    """What stands for the name in comparisons, as it is written in a statement."""
    if dialect == EXACT_DIALECT:
        return name if quoted else name.lower()
    return name.lower()


class Catalog:
    """The tables that are there, with their columns in order, and where unqualified names are looked for.

    `database` is the name that may stand before a schema and means the same. Statements that make tables add theirs.
    """

    def __init__(
        self,
        tables: Mapping[TableName, Sequence[str]] | None = None,
        *,
        dialect: str = EXACT_DIALECT,
        search_path: Iterable[TableName] = (),
        database: str | None = None,
    ) -> None:
        """Raises ValueError for a dialect that is not known."""
        if dialect not in DIALECTS:
            raise ValueError(f"{dialect!r} is not a dialect; use one of {', '.join(DIALECTS)}")
        self.dialect = dialect
        self._path = (*search_path, ())
        self._database = database
        self._tables: dict[TableName, TableName] = {}
        self._columns: dict[TableName, tuple[str, ...]] = {}
        for name, columns in (tables or {}).items():
            self.add(name, columns)

    def copy(self) -> Catalog:
        """One that may be added to without changing this one."""
        made = Catalog(dialect=self.dialect, search_path=self._path[:-1], database=self._database)
        made._tables, made._columns = dict(self._tables), dict(self._columns)
        return made

    def add(self, name: TableName, columns: Sequence[str]) -> None:
        self._tables[self._key(name)] = name
        self._columns[name] = tuple(columns)

    def find(self, parts: TableName) -> TableName:
        """The table that folded parts mean; where none is known, the name that it would have."""
        for prefix in self._path:
            if (known := self._tables.get(self._key((*prefix, *parts)))) is not None:
                return known
        if self._database is not None and len(parts) > 1 and parts[0] == self._fold(self._database):
            return self.find(parts[1:])
        return (*self._path[0], *parts) if len(parts) == 1 else parts

    def file(self, path: str) -> TableName:
        """The table that a file is: its path is its name, and no search path goes before it."""
        return self._tables.get(self._key((path,)), (path,))

    def columns(self, name: TableName) -> tuple[str, ...] | None:
        """The columns of a table as it spells them; None if they are not known."""
        return self._columns.get(name)

    def _key(self, name: TableName) -> TableName:
        return tuple(map(self._fold, name))

    def _fold(self, name: str) -> str:
        return folded(name, self.dialect, quoted=True)
