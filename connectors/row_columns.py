"""Rows as drivers bring them, turned into columns of numbers and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.datasets import Column, ColumnBatch, ColumnValues, LogicalType

_TYPES = {
    LogicalType.INTEGER: np.dtype(np.int64),
    LogicalType.NUMBER: np.dtype(np.float64),
    LogicalType.DECIMAL: np.dtype(np.float64),
    LogicalType.BOOLEAN: np.dtype(np.bool_),
    # As whole days and microseconds since 1970, which is what sources are asked for.
    LogicalType.DATE: np.dtype(np.int64),
    LogicalType.TIMESTAMP: np.dtype(np.int64),
}
_VIEWS = {LogicalType.DATE: "datetime64[D]", LogicalType.TIMESTAMP: "datetime64[us]"}


def batch_of_rows(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]], text_limit: int | None, *, truncated: bool = False
) -> ColumnBatch:
    """A batch of rows whose values are in the order of the columns.

    Dates and times are whole numbers: days, and microseconds, since 1970 in UTC.
    """
    # By bytecode and not by one long call, which would keep the interpreter's lock from the event loop.
    named = {
        column.name: column_values(column.logical_type, [row[place] for row in rows], text_limit)
        for place, column in enumerate(columns)
    }
    return ColumnBatch(named, len(rows), truncated)


def column_values(logical_type: LogicalType, values: Sequence[Any], text_limit: int | None) -> ColumnValues:
    """One column of values that are of its type, or None."""
    nulls = _nulls(values)
    dtype = _TYPES.get(logical_type)
    if dtype is None:
        return _of_objects(logical_type, values, nulls, text_limit)
    filled = values if nulls is None else [0 if value is None else value for value in values]
    array = np.array(filled, dtype=dtype)
    if logical_type in _VIEWS:
        array = array.view(_VIEWS[logical_type])
    return ColumnValues(logical_type, array, nulls)


def _of_objects(
    logical_type: LogicalType, values: Sequence[Any], nulls: NDArray[np.bool_] | None, limit: int | None
) -> ColumnValues:
    cut = 0
    if limit is not None:
        cut = sum(1 for value in values if value is not None and len(value) > limit)
    if cut:
        values = [value if value is None else value[:limit] for value in values]
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return ColumnValues(logical_type, array, nulls, cut)


def _nulls(values: Sequence[Any]) -> NDArray[np.bool_] | None:
    if None not in values:
        return None
    return np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))
