"""A column of values as every analysis takes it: one kind, one array, and which of its rows are null.

Whoever reads a source makes columns with `column_of`, from a numpy array (masked where it has nulls) or from any
sequence of Python values. What does not fit the kind that the source declares is counted, not raised: one stray text in
a column of numbers must not cost the column its profile.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Kind(StrEnum):
    """What the values of a column are."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    JSON = "json"
    BINARY = "binary"
    OTHER = "other"


NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})
TEMPORAL = frozenset({Kind.DATE, Kind.TIMESTAMP})
TEXTUAL = frozenset({Kind.TEXT, Kind.OTHER})


class ColumnError(ValueError):
    """Columns that do not go together, or a kind that is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Rows of one column.

    `values` without nulls is, by kind: integer int64, or Python ints where one is beyond int64; decimal the same,
    times 10**scale; float float64; boolean bool; date and timestamp datetime64[us], in UTC where `aware`; text, JSON
    (as text) and other str; binary bytes. `rows` counts nulls and misfits, too.
    """

    name: str
    kind: Kind
    values: Array
    rows: int
    nulls: int = 0
    misfits: int = 0
    scale: int = 0
    aware: bool = False
    nan: int = 0
    positive_infinity: int = 0
    negative_infinity: int = 0


def column_of(name: str, values: Array | Sequence[Any], kind: Kind | None = None) -> Column:
    """The column of these values; null is None, NaT or what is masked. The kind is told by the values unless given."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        column = _of_array(name, values)
        if kind in (None, column.kind):
            return column
        if (column.kind, kind) == (Kind.TIMESTAMP, Kind.DATE):
            return replace(column, kind=kind, values=column.values.astype("datetime64[D]").astype("datetime64[us]"))
        if (column.kind, kind) == (Kind.INTEGER, Kind.FLOAT):
            return replace(column, kind=kind, values=column.values.astype(np.float64))
    if isinstance(values, np.ndarray):
        values = values.tolist()  # a masked array tells None where it is masked
    present = [value for value in values if value is not None]
    if any(issubclass(found, np.generic) for found in set(map(type, present))):
        present = [plain(value) for value in present]
    return _of_present(name, kind or _kind_of(present), present, len(values))


def column_of_stretch(
    name: str, kind: Kind, values: Array, nulls: Array | None = None, *, aware: bool = False
) -> Column:
    """The column of an array whose values are of the kind already, as readers of columns bring them.

    int64 for integers, float64 for floats, bool, datetime64 of any unit for dates and timestamps, objects of str or
    bytes for the rest. What stands at a null is of no meaning.
    """
    present = values if nulls is None or not nulls.any() else values[~nulls]
    if kind in TEMPORAL:
        present = present.astype("datetime64[us]", copy=False)
    return Column(name, kind, present, len(values), len(values) - len(present), aware=aware)


def _of_array(name: str, array: Array) -> Column:
    missing = _mask(array)
    values = np.asarray(array.data if isinstance(array, np.ma.MaskedArray) else array)
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
        missing = missing | np.isnat(values)
    present = values[~missing] if missing.any() else values
    kind, present = _native(name, present)
    return Column(name, kind, present, rows=len(array), nulls=int(missing.sum()))


def _mask(array: Array) -> Array:
    return np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else np.zeros(len(array), dtype=bool)


def _native(name: str, values: Array) -> tuple[Kind, Array]:
    match values.dtype.kind:
        case "b":
            return Kind.BOOLEAN, values
        case "i":
            return Kind.INTEGER, values.astype(np.int64, copy=False)
        case "u":
            fits = values.size == 0 or int(values.max()) <= INT64_MAX
            return Kind.INTEGER, values.astype(np.int64 if fits else object)
        case "f":
            return Kind.FLOAT, values.astype(np.float64, copy=False)
        case "M":
            return Kind.TIMESTAMP, values
        case "U":
            return Kind.TEXT, values.astype(object)
        case "S":
            return Kind.BINARY, values.astype(object)
        case "m":
            return Kind.OTHER, objects([str(value) for value in values])
        case _:
            raise ColumnError(f"column {name!r}: an array of {values.dtype} is no column")


def objects(values: Sequence[Any]) -> Array:
    """An array of Python objects, also where these are sequences themselves."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def plain(value: Any) -> Any:
    """A value of numpy as Python has it."""
    return value.item() if isinstance(value, np.generic) else value


_KINDS_BY_TYPES: tuple[tuple[frozenset[type], Kind], ...] = (
    (frozenset({bool}), Kind.BOOLEAN),
    (frozenset({int}), Kind.INTEGER),
    (frozenset({int, float}), Kind.FLOAT),
    (frozenset({int, Decimal}), Kind.DECIMAL),
    (frozenset({str}), Kind.TEXT),
    (frozenset({datetime.datetime}), Kind.TIMESTAMP),
    (frozenset({datetime.date}), Kind.DATE),
    (frozenset({bytes, bytearray, memoryview}), Kind.BINARY),
    (frozenset({dict, list}), Kind.JSON),
)


def _kind_of(present: list[Any]) -> Kind:
    types = set(map(type, present))
    return next((kind for known, kind in _KINDS_BY_TYPES if types and types <= known), Kind.OTHER)


def _of_present(name: str, kind: Kind, present: list[Any], rows: int) -> Column:
    fitting, misfits = _fit(kind, present)
    nulls = rows - len(present)
    match kind:
        case Kind.INTEGER:
            whole = integers(fitting)
            if whole.dtype == object:
                whole = whole[[value.bit_length() <= _MOST_BITS for value in fitting]]
            return Column(name, kind, whole, rows, nulls, len(present) - len(whole))
        case Kind.DECIMAL:
            return _decimals(name, fitting, rows, nulls, misfits)
        case Kind.FLOAT:
            return Column(name, kind, np.array(fitting, dtype=np.float64), rows, nulls, misfits)
        case Kind.BOOLEAN:
            return Column(name, kind, np.array(fitting, dtype=bool), rows, nulls, misfits)
        case Kind.DATE | Kind.TIMESTAMP:
            aware = any(value.tzinfo is not None for value in fitting)
            naive = [_in_utc(value) if value.tzinfo is not None else value for value in fitting]
            return Column(name, kind, np.array(naive, dtype="datetime64[us]"), rows, nulls, misfits, aware=aware)
        case _:
            return Column(name, kind, objects(fitting), rows, nulls, misfits)


def _fit(kind: Kind, present: list[Any]) -> tuple[list[Any], int]:
    """The values as the kind wants them, and how many it cannot take."""
    plain = _PLAIN.get(kind)
    if plain is not None and set(map(type, present)) <= {plain}:
        return present, 0
    convert, fitting = _CONVERTERS[kind], []
    for value in present:
        try:
            fitting.append(convert(value))
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            continue
    return fitting, len(present) - len(fitting)


def integers(values: Sequence[int]) -> Array:
    """int64 where all of them fit, Python ints otherwise: no digit is lost."""
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        return objects(values)


def _decimals(name: str, values: list[Decimal], rows: int, nulls: int, misfits: int) -> Column:
    finite = [value for value in values if value.is_finite()]
    scale = max((max(0, -int(value.as_tuple().exponent)) for value in finite), default=0)
    return Column(
        name,
        Kind.DECIMAL,
        integers([_times_power(value, scale) for value in finite]),
        rows,
        nulls,
        misfits,
        scale=scale,
        nan=sum(value.is_nan() for value in values),
        positive_infinity=sum(value.is_infinite() and value > 0 for value in values),
        negative_infinity=sum(value.is_infinite() and value < 0 for value in values),
    )


# A decimal of 10**100000 would be a number of a hundred thousand digits: no source means that.
_MOST_DIGITS = 1000
_MOST_BITS = 3321  # of a whole number with as many digits


def _times_power(value: Decimal, scale: int) -> int:
    sign, digits, exponent = value.as_tuple()
    power: int = 10 ** (int(exponent) + scale)
    whole = int("".join(map(str, digits)) or "0") * power
    return -whole if sign else whole


def _in_utc(value: datetime.datetime) -> datetime.datetime:
    return value.astimezone(datetime.UTC).replace(tzinfo=None)


def _integer(value: Any) -> int:
    if isinstance(value, int) or (isinstance(value, Decimal | float) and value == int(value)):
        return int(value)
    raise TypeError


def _float(value: Any) -> float:
    if isinstance(value, int | float | Decimal):
        return float(value)
    raise TypeError


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, int | float | Decimal):
        raise TypeError
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if number.is_finite() and abs(number.adjusted()) + len(number.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if value in (0, 1):
        return bool(value)
    raise TypeError


def _moment(value: Any) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a date has no zone
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    raise TypeError


def _day(value: Any) -> datetime.datetime:
    return _moment(value).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _binary(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError


_PLAIN: dict[Kind, type] = {
    Kind.INTEGER: int,
    Kind.FLOAT: float,
    Kind.BOOLEAN: bool,
    Kind.TEXT: str,
    Kind.JSON: str,
    Kind.BINARY: bytes,
    Kind.OTHER: str,
    Kind.TIMESTAMP: datetime.datetime,
}

_CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: str,
    Kind.DATE: _day,
    Kind.TIMESTAMP: _moment,
    Kind.JSON: _json_text,
    Kind.BINARY: _binary,
    Kind.OTHER: str,
}
