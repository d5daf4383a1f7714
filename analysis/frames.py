"""Rows of several columns side by side, as analyses that compare columns take them.

Unlike `analysis.columns.Column`, whose nulls are taken out, rows stay aligned here: row i of one column belongs to row
i of every other. A column has one of four roles, by which its array looks; see `FrameColumn`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np

from analysis.columns import NUMERIC, TEMPORAL, Array, Kind, objects, plain

# float64 tells whole numbers apart up to here.
EXACT_FLOAT = 2**53


class Role(StrEnum):
    """What can be computed over a column."""

    NUMERIC = "numeric"
    CATEGORY = "category"
    TIME = "time"
    OTHER = "other"


class FrameError(ValueError):
    """Columns of different lengths, or a column that is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumn:
    """One column; `values` has one element a row, by role:

    - NUMERIC: float64, NaN where null. Infinities are NaN, too, and counted in `infinities`. `exact` holds the same as
      int64 where float64 cannot tell the whole numbers apart, and is None otherwise.
    - CATEGORY: int32 codes, -1 where null; `levels[code]` is the text (object array of str), each once, in order of
      appearance. Booleans are categories with the levels "false" and "true".
    - TIME: datetime64[us], NaT where null, in UTC where `aware`.
    - OTHER (JSON, binary): bool, whether the row has a value. Nothing but missingness can be analysed.

    `name` is unique in its frame, `original` is what the source calls the column. `misfits` counts values that are not
    of the column's kind, `cut` texts of which only the beginning is here; misfits are null.
    """

    name: str
    role: Role
    kind: Kind
    values: Array
    levels: Array | None = None
    aware: bool = False
    infinities: int = 0
    misfits: int = 0
    cut: int = 0
    original: str = ""
    exact: Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def present(self) -> Array:
        """Bool, whether the row has a value that can be computed with."""
        match self.role:
            case Role.NUMERIC:
                return ~np.isnan(self.values)
            case Role.CATEGORY:
                return np.asarray(self.values >= 0)
            case Role.TIME:
                return ~np.isnat(self.values)
            case Role.OTHER:
                return self.values

    @property
    def nulls(self) -> int:
        """Rows without a value, infinities and misfits included."""
        return len(self.values) - int(np.count_nonzero(self.present))

    def take(self, rows: Array) -> FrameColumn:
        """The column of these rows only (indices or a mask). Levels stay, also those that no row has any more."""
        exact = None if self.exact is None else self.exact[rows]
        return replace(self, values=self.values[rows], exact=exact)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Columns of `rows` rows. `total_rows` is how many the dataset has, None where nobody counted them."""

    columns: tuple[FrameColumn, ...]
    rows: int
    total_rows: int | None = None

    def __post_init__(self) -> None:
        for column in self.columns:
            if len(column) != self.rows:
                raise FrameError(f"column {column.name!r} has {len(column)} rows, the frame {self.rows}")

    @property
    def is_sample(self) -> bool:
        """Whether rows of the dataset are known to be left out."""
        return self.total_rows is not None and self.rows < self.total_rows

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> FrameColumn:
        """The column of this name. Raises FrameError."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise FrameError(f"there is no column {name!r}")
        return found

    def of_role(self, role: Role) -> tuple[FrameColumn, ...]:
        return tuple(column for column in self.columns if column.role is role)

    def take(self, rows: Array) -> Frame:
        """The frame of these rows only (indices or a mask). `total_rows` stays."""
        columns = tuple(column.take(rows) for column in self.columns)
        picked = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        return Frame(columns, picked, self.total_rows if self.total_rows is not None else self.rows)

    def select(self, names: Sequence[str]) -> Frame:
        """The frame of these columns only, in this order. Raises FrameError."""
        return replace(self, columns=tuple(self.column(name) for name in names))


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """What a reader knows of a column before it reads: its name at the source, its kind, whether times have a zone."""

    name: str
    kind: Kind
    aware: bool = False


class FrameBuilder:
    """Makes a frame of batches, holding each value once."""

    def __init__(self, specs: Sequence[FrameSpec]) -> None:
        names = unique_names([spec.name for spec in specs])
        self._parts = [_part_of(name, spec) for name, spec in zip(names, specs, strict=True)]
        self.rows = 0

    def add(self, stretches: Sequence[tuple[Array, Array | None]], *, cut: Sequence[int] = ()) -> None:
        """The next rows of all columns, in the specs' order: values and a mask of nulls, None for no nulls.

        Values by kind: int64, float64 (numbers and decimals), bool, datetime64 of any unit, objects of str. What stands
        at a null is of no meaning. `cut` says by column how many texts were cut. Raises FrameError.
        """
        rows = len(stretches[0][0]) if stretches else 0
        if len(stretches) != len(self._parts) or any(len(values) != rows for values, _ in stretches):
            raise FrameError("every column needs as many rows as the others")
        for part, (values, nulls) in zip(self._parts, stretches, strict=True):
            part.add(values, nulls)
        for part, number in zip(self._parts, cut, strict=False):
            part.cut += number
        self.rows += rows

    def build(self, total_rows: int | None = None) -> Frame:
        """The frame of all that was added; the builder is empty afterwards."""
        columns = []
        while self._parts:
            columns.append(self._parts.pop(0).column())
        return Frame(tuple(columns), self.rows, total_rows)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, of which a repeated one gets a number that no other has: `a`, `a (2)`."""
    taken, unique = set(names), []
    seen: set[str] = set()
    for name in names:
        number, candidate = 2, name
        while candidate in seen or (candidate != name and candidate in taken):
            candidate, number = f"{name} ({number})", number + 1
        seen.add(candidate)
        unique.append(candidate)
    return unique


def role_of(kind: Kind) -> Role:
    if kind in NUMERIC:
        return Role.NUMERIC
    if kind in TEMPORAL:
        return Role.TIME
    return Role.OTHER if kind in (Kind.JSON, Kind.BINARY) else Role.CATEGORY


class _Codes(dict[str, int]):
    """Texts to codes, in order of appearance."""

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
        return code


@dataclass(slots=True)
class _Part:
    """A column that grows. Subclasses turn each stretch into what the role's array holds."""

    name: str
    spec: FrameSpec
    pieces: list[Array] = field(default_factory=list)
    cut: int = 0

    def add(self, values: Array, nulls: Array | None) -> None:
        raise NotImplementedError

    def column(self) -> FrameColumn:
        raise NotImplementedError

    def _joined(self, dtype: Any) -> Array:
        pieces, self.pieces = self.pieces, []
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces) if pieces else np.empty(0, dtype)

    def _made(self, role: Role, values: Array, **more: Any) -> FrameColumn:
        return FrameColumn(self.name, role, self.spec.kind, values, cut=self.cut, original=self.spec.name, **more)


@dataclass(slots=True)
class _Numbers(_Part):
    infinities: int = 0
    exact: list[Array] = field(default_factory=list)
    is_large: bool = False

    def add(self, values: Array, nulls: Array | None) -> None:
        if self.spec.kind is Kind.INTEGER:
            whole = np.array(values, dtype=np.int64) if nulls is None else np.where(nulls, 0, values).astype(np.int64)
            self.is_large |= bool(whole.size and (whole.max() > EXACT_FLOAT or whole.min() < -EXACT_FLOAT))
            self.exact.append(whole)
        numbers = np.array(values, dtype=np.float64)
        if nulls is not None:
            numbers[nulls] = np.nan
        infinite = np.isinf(numbers)
        self.infinities += int(np.count_nonzero(infinite))
        numbers[infinite] = np.nan
        self.pieces.append(numbers)

    def column(self) -> FrameColumn:
        exact = np.concatenate(self.exact) if self.is_large else None
        self.exact = []
        return self._made(Role.NUMERIC, self._joined(np.float64), infinities=self.infinities, exact=exact)


@dataclass(slots=True)
class _Texts(_Part):
    codes: _Codes = field(default_factory=_Codes)

    def add(self, values: Array, nulls: Array | None) -> None:
        codes = np.full(len(values), -1, dtype=np.int32)
        present = values if nulls is None else values[~nulls]
        found = np.fromiter(map(self.codes.__getitem__, present.tolist()), dtype=np.int32, count=len(present))
        codes[slice(None) if nulls is None else ~nulls] = found
        self.pieces.append(codes)

    def column(self) -> FrameColumn:
        return self._made(Role.CATEGORY, self._joined(np.int32), levels=objects(list(self.codes)))


@dataclass(slots=True)
class _Booleans(_Part):
    def add(self, values: Array, nulls: Array | None) -> None:
        codes = values.astype(np.int32)
        if nulls is not None:
            codes[nulls] = -1
        self.pieces.append(codes)

    def column(self) -> FrameColumn:
        return self._made(Role.CATEGORY, self._joined(np.int32), levels=objects(["false", "true"]))


@dataclass(slots=True)
class _Times(_Part):
    def add(self, values: Array, nulls: Array | None) -> None:
        times = np.array(values, dtype="datetime64[us]")
        if nulls is not None:
            times[nulls] = np.datetime64("NaT")
        self.pieces.append(times)

    def column(self) -> FrameColumn:
        return self._made(Role.TIME, self._joined("datetime64[us]"), aware=self.spec.aware)


@dataclass(slots=True)
class _Presence(_Part):
    def add(self, values: Array, nulls: Array | None) -> None:
        self.pieces.append(np.ones(len(values), dtype=np.bool_) if nulls is None else ~nulls)

    def column(self) -> FrameColumn:
        return self._made(Role.OTHER, self._joined(np.bool_))


def _part_of(name: str, spec: FrameSpec) -> _Part:
    match role_of(spec.kind):
        case Role.NUMERIC:
            return _Numbers(name, spec)
        case Role.TIME:
            return _Times(name, spec)
        case Role.OTHER:
            return _Presence(name, spec)
        case Role.CATEGORY:
            return _Booleans(name, spec) if spec.kind is Kind.BOOLEAN else _Texts(name, spec)


# Frames out of plain Python values and arrays


def frame_of(columns: Mapping[str, Array | Sequence[Any]], total_rows: int | None = None) -> Frame:
    """The frame of these sequences, whose kinds their values tell; null is None, NaT or what is masked.

    Numbers beside other things make a column of numbers where they are the most, and misfits of the rest.
    """
    made = [_column_of(name, values) for name, values in columns.items()]
    return Frame(tuple(made), len(made[0]) if made else 0, total_rows)


def _column_of(name: str, values: Array | Sequence[Any]) -> FrameColumn:
    kind, array, nulls, misfits = _stretch(values)
    aware = kind is Kind.TIMESTAMP and any(getattr(value, "tzinfo", None) is not None for value in values)
    part = _part_of(name, FrameSpec(name, kind, aware))
    part.add(array, nulls if nulls.any() else None)
    return replace(part.column(), misfits=misfits)


_ARRAYS = {"b": Kind.BOOLEAN, "i": Kind.INTEGER, "u": Kind.INTEGER, "f": Kind.FLOAT, "M": Kind.TIMESTAMP}


def _stretch(values: Array | Sequence[Any]) -> tuple[Kind, Array, Array, int]:
    if isinstance(values, np.ndarray) and values.dtype.kind in _ARRAYS:
        nulls = np.array(np.ma.getmaskarray(values))
        return _ARRAYS[values.dtype.kind], np.asarray(values), nulls, 0
    given = values.tolist() if isinstance(values, np.ndarray) else [plain(value) for value in values]
    kind = _kind_of(given)
    fitting = [_fitted(kind, value) for value in given]
    nulls = np.array([value is None for value in fitting], dtype=np.bool_)
    misfits = sum(value is not None for value in given) - (len(given) - int(nulls.sum()))
    filler, dtype = _FILLERS.get(kind, ("", object))
    filled = [filler if value is None else value for value in fitting]
    return kind, objects(filled) if dtype is object else np.array(filled, dtype=dtype), nulls, misfits


_FILLERS: dict[Kind, tuple[Any, Any]] = {
    Kind.INTEGER: (0, np.int64),
    Kind.FLOAT: (0.0, np.float64),
    Kind.DECIMAL: (0.0, np.float64),
    Kind.BOOLEAN: (False, np.bool_),
    Kind.DATE: ("NaT", "datetime64[us]"),
    Kind.TIMESTAMP: ("NaT", "datetime64[us]"),
}
_TYPES: tuple[tuple[tuple[type, ...], Kind], ...] = (
    ((bool,), Kind.BOOLEAN),
    ((int,), Kind.INTEGER),
    ((Decimal,), Kind.DECIMAL),
    ((int, float, Decimal), Kind.FLOAT),
    ((datetime.datetime,), Kind.TIMESTAMP),
    ((datetime.date,), Kind.DATE),
    ((dict, list), Kind.JSON),
    ((bytes, bytearray, memoryview), Kind.BINARY),
    ((str,), Kind.TEXT),
)


def _kind_of(values: list[Any]) -> Kind:
    """What all are, or else what most are, of numbers and texts."""
    present = [value for value in values if value is not None]
    for types, kind in _TYPES:
        if present and all(isinstance(value, types) and _of_kind(kind, value) for value in present):
            return kind
    numbers = sum(isinstance(value, int | float | Decimal) for value in present)
    return Kind.FLOAT if 2 * numbers > len(present) else Kind.TEXT


def _of_kind(kind: Kind, value: Any) -> bool:
    if kind is Kind.INTEGER:
        return not isinstance(value, bool) and -(2**63) <= value < 2**63
    return kind not in (Kind.FLOAT, Kind.DECIMAL) or not isinstance(value, bool)


def _fitted(kind: Kind, value: Any) -> Any:
    """The value as its kind's array holds it; None for null and for what does not fit."""
    if value is None:
        return None
    if kind in NUMERIC:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return None
        return value if kind is Kind.INTEGER else _number(value)
    if kind in TEMPORAL:
        return _naive(value)
    if kind in (Kind.BOOLEAN, Kind.JSON, Kind.BINARY):
        return value
    return value if isinstance(value, str) else str(value)


def _number(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _naive(value: datetime.date) -> Any:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value
