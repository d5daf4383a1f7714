"""Profiles of columns and tables, batch by batch or at once.

profile_column(column)                        # exact, the column in memory
profile_table(columns, threads=2)             # exact, columns taken one after the other
table = TableAccumulator(budget_bytes=2**28)  # any size: table.add(batch); table.merge(other); table.profile()
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from analysis.columns import NUMERIC, TEMPORAL, Column, ColumnError, Kind
from analysis.profile.documents import Documents
from analysis.profile.figures import (
    EXACT,
    Basis,
    BinaryFigures,
    BooleanFigures,
    ColumnProfile,
    DocumentFigures,
    NumberFigures,
    TableProfile,
    TextFigures,
    TimeFigures,
)
from analysis.profile.identifiers import identifier_reason
from analysis.profile.numbers import Numbers
from analysis.profile.plain_kinds import Binaries, Booleans
from analysis.profile.texts import Texts
from analysis.profile.times import Times
from analysis.profile.told import ProfileOptions, Told, exact

# Of all columns of a table together. With what reading a batch takes it stays well below a gibibyte.
DEFAULT_BUDGET_BYTES = 256 * 2**20

_SECTIONS: dict[type, str] = {
    NumberFigures: "numbers",
    TextFigures: "text",
    TimeFigures: "times",
    BooleanFigures: "booleans",
    DocumentFigures: "documents",
    BinaryFigures: "binary",
}

_COMMON = ("rows", "count", "nulls", "misfits", "constant")

_Figures = Numbers | Times | Texts | Documents | Booleans | Binaries


class ColumnAccumulator:
    """One column, fed with batches of the same kind. `budget_bytes` None keeps everything, and every figure exact."""

    def __init__(self, name: str, kind: Kind, budget_bytes: int | None = None, seed: int = 0) -> None:
        self.name, self.kind = name, kind
        self._figures = _figures_of(kind, budget_bytes, seed)
        self._rows = self._nulls = self._misfits = 0

    def add(self, column: Column) -> None:
        if column.kind is not self.kind:
            raise ColumnError(f"column {self.name!r} holds {self.kind}, and a batch of it came as {column.kind}")
        self._rows += column.rows
        self._nulls += column.nulls
        self._misfits += column.misfits
        self._figures.add(column)

    def merge(self, other: ColumnAccumulator) -> None:
        """Takes what the other has, which is used up by it; its rows count as those that came after."""
        if (other.name, other.kind) != (self.name, self.kind):
            raise ColumnError(
                f"column {self.name!r} of {self.kind} cannot take in column {other.name!r} of {other.kind}"
            )
        self._rows += other._rows
        self._nulls += other._nulls
        self._misfits += other._misfits
        assert type(self._figures) is type(other._figures)
        self._figures.merge(cast("Any", other._figures))

    def profile(self, options: ProfileOptions | None = None) -> ColumnProfile:
        told = self._figures.told(options or ProfileOptions())
        count = self._rows - self._nulls - self._misfits
        (unique, how), constant = _unique(told, count), told.distinct == 1
        section = {_SECTIONS[type(told.section)]: told.section}
        complete = self._nulls == self._misfits == 0
        return ColumnProfile(
            name=self.name,
            kind=self.kind.value,
            rows=self._rows,
            count=count,
            nulls=self._nulls,
            misfits=self._misfits,
            distinct=told.distinct,
            unique=unique,
            constant=constant,
            identifier=identifier_reason(self.name, count, told) if unique and complete else None,
            top=told.top,
            basis=exact(_COMMON) | told.basis | {"unique": how},
            notes=told.notes,
            **section,
        )


def _figures_of(kind: Kind, budget_bytes: int | None, seed: int) -> _Figures:
    if kind in NUMERIC:
        return Numbers(kind, budget_bytes, seed)
    if kind in TEMPORAL:
        return Times(kind, budget_bytes, seed)
    match kind:
        case Kind.BOOLEAN:
            return Booleans()
        case Kind.JSON:
            return Documents(budget_bytes)
        case Kind.BINARY:
            return Binaries(budget_bytes)
        case _:
            return Texts(budget_bytes)


def _unique(told: Told, count: int) -> tuple[bool | None, Basis]:
    """Whether all values are different, None where nobody can tell, and how that is known."""
    basis = told.basis["distinct"]
    if basis == "exact":
        return told.distinct == count > 0, EXACT
    if any(top.count > 1 for top in told.top):
        return False, EXACT  # whatever the number of the others
    return (False if told.distinct * (1 + basis.error) < count else None), basis


class TableAccumulator:
    """A table, fed with batches of its columns. The first batch names them; the budget is shared evenly."""

    def __init__(self, budget_bytes: int | None = DEFAULT_BUDGET_BYTES, seed: int = 0) -> None:
        self._budget = budget_bytes
        self._seed = seed
        self._columns: list[ColumnAccumulator] = []
        self._rows = 0

    def add(self, batch: Sequence[Column]) -> None:
        if not self._columns:
            share = None if self._budget is None else self._budget // max(len(batch), 1)
            self._columns = [ColumnAccumulator(column.name, column.kind, share, self._seed) for column in batch]
        if [column.name for column in batch] != [column.name for column in self._columns]:
            raise ColumnError(
                f"the table has the columns {[column.name for column in self._columns]}, "
                f"and a batch of it {[column.name for column in batch]}"
            )
        rows = {column.rows for column in batch}
        if len(rows) > 1:
            raise ColumnError(f"the columns of a batch have different numbers of rows: {sorted(rows)}")
        self._rows += rows.pop() if rows else 0
        for accumulator, column in zip(self._columns, batch, strict=True):
            accumulator.add(column)

    def merge(self, other: TableAccumulator) -> None:
        """Takes what the other has, which is used up by it."""
        self._rows += other._rows
        if not self._columns:
            self._columns = other._columns
        elif other._columns:
            for mine, theirs in zip(self._columns, other._columns, strict=True):
                mine.merge(theirs)

    def profile(self, options: ProfileOptions | None = None) -> TableProfile:
        return table_profile(self._rows, [column.profile(options) for column in self._columns])


def table_profile(rows: int, columns: list[ColumnProfile]) -> TableProfile:
    cells = sum(column.rows for column in columns)
    return TableProfile(
        rows=rows,
        columns=columns,
        completeness=1 - sum(column.nulls for column in columns) / cells if cells else 1.0,
        candidate_keys=[column.name for column in columns if column.unique and column.count == column.rows],
        constant_columns=[column.name for column in columns if column.constant],
        identifiers=[column.name for column in columns if column.identifier],
    )


def profile_column(column: Column, options: ProfileOptions | None = None) -> ColumnProfile:
    """Exact, in about twice the memory of the column."""
    accumulator = ColumnAccumulator(column.name, column.kind)
    accumulator.add(column)
    return accumulator.profile(options)


def profile_table(columns: Iterable[Column], options: ProfileOptions | None = None, threads: int = 1) -> TableProfile:
    """Exact. The columns are taken one at a time and thread, so a generator need not hold them all.

    Sorting leaves the interpreter to others: a second thread takes nearly half of the time of numbers.
    """
    source, lock = enumerate(columns), threading.Lock()
    found: dict[int, ColumnProfile] = {}

    def work() -> None:
        for place, column in _taken(source, lock):
            found[place] = profile_column(column, options)

    with ThreadPoolExecutor(threads, thread_name_prefix="profile") as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
    profiles = [found[place] for place in sorted(found)]
    rows = {profile.rows for profile in profiles}
    if len(rows) > 1:
        raise ColumnError(f"the columns of a table have different numbers of rows: {sorted(rows)}")
    return table_profile(rows.pop() if rows else 0, profiles)


def _taken(source: Iterator[tuple[int, Column]], lock: threading.Lock) -> Iterator[tuple[int, Column]]:
    while True:
        with lock:
            item = next(source, None)
        if item is None:
            return
        yield item
