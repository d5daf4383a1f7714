"""Rows of a batch, side by side: what rules look at, nulls included."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from analysis.columns import INT64_MAX, INT64_MIN, Array

_FIRST = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Columns of equal length; None is null. `keys` tell rows apart in samples."""

    columns: Mapping[str, list[Any]]
    keys: Sequence[Any]

    def __len__(self) -> int:
        return len(self.keys)


def rows_of(
    columns: Mapping[str, Array | Sequence[Any]], keys: Sequence[Any] | None = None, first_row: int = 1
) -> Rows:
    """From what a source brought, arrays (masked where null) or sequences. Without keys, rows are told by number."""
    lists = {name: _as_list(values) for name, values in columns.items()}
    sizes = {len(values) for values in lists.values()} | ({len(keys)} if keys is not None else set())
    if len(sizes) > 1:
        raise ValueError(f"columns and keys of a batch have different numbers of rows: {sorted(sizes)}")
    size = sizes.pop() if sizes else 0
    return Rows(lists, range(first_row, first_row + size) if keys is None else keys)


def _as_list(values: Array | Sequence[Any]) -> list[Any]:
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "M":
            values = values.astype("datetime64[us]")
        return list(values.tolist())
    return list(values)


def json_value(value: Any) -> Any:
    """The value as JSON has it, for expressions: they see plain data only, never objects of Python.

    Times are RFC 3339 text in UTC, so that `timestamp(row.at)` reads them; decimals and whole numbers beyond 64 bits
    are floats; NaN and infinities are text.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if INT64_MIN <= value <= INT64_MAX else float(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            # A signalling NaN cannot become a float.
            return "nan" if value.is_nan() else json_value(float(value))
        case datetime.datetime():
            return utc(value).isoformat().replace("+00:00", "Z")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case dict():
            return {str(key): json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
        case np.generic():
            return json_value(value.item())
        case _:
            return str(value)


def utc(value: datetime.datetime) -> datetime.datetime:
    """Without a zone it is taken for UTC; hours beyond the first or the last day that there is are cut off."""
    if value.tzinfo is None:
        return value.replace(tzinfo=datetime.UTC)
    try:
        return value.astimezone(datetime.UTC)
    except OverflowError:
        return _LAST if value.year == datetime.MAXYEAR else _FIRST
