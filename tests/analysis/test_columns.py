"""Columns of arrays and of Python values: kinds, nulls, and what does not fit."""

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from analysis.columns import Column, ColumnError, Kind, column_of, column_of_stretch

BERLIN = datetime.timezone(datetime.timedelta(hours=2))


def naive(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - sources have times without zones


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], Kind.INTEGER),
        ([1, 2.5], Kind.FLOAT),
        ([Decimal("1.5"), 2], Kind.DECIMAL),
        ([True, None], Kind.BOOLEAN),
        (["a"], Kind.TEXT),
        ([datetime.date(2024, 1, 31)], Kind.DATE),
        ([naive(2024, 1, 31, 12)], Kind.TIMESTAMP),
        ([{"a": 1}, [1]], Kind.JSON),
        ([b"a"], Kind.BINARY),
        ([UUID(int=1)], Kind.OTHER),
        ([1, "a"], Kind.OTHER),
        ([], Kind.OTHER),
    ],
)
def test_the_values_tell_the_kind(values: list[Any], kind: Kind) -> None:
    column = column_of("c", values)
    assert column.kind is kind
    assert (column.rows, column.nulls, column.misfits) == (len(values), values.count(None), 0)


@pytest.mark.parametrize("dtype", ["int8", "uint32", "int64", "float32", "float64", "bool", "datetime64[s]", "U5"])
def test_a_masked_array_has_nulls_where_it_is_masked(dtype: str) -> None:
    array = np.ma.MaskedArray(np.array([0, 1, 0], dtype="int8").astype(dtype), [False, True, False])
    column = column_of("c", array)
    assert (column.rows, column.nulls, len(column.values)) == (3, 1, 2)


def test_integers_beyond_64_bits_keep_their_digits() -> None:
    assert column_of("c", [2**63, -1, 10**30]).values.tolist() == [2**63, -1, 10**30]
    assert column_of("c", np.array([2**64 - 1, 1], dtype=np.uint64)).values.tolist() == [2**64 - 1, 1]
    assert column_of("c", np.array([1], dtype=np.uint64)).values.dtype == np.int64


def test_decimals_are_whole_numbers_of_the_finest_scale() -> None:
    column = column_of("c", [Decimal("1.5"), Decimal("-0.125"), Decimal("3E+2"), Decimal("NaN"), Decimal("-Infinity")])
    assert (column.scale, column.values.tolist()) == (3, [1500, -125, 300_000])
    assert (column.nan, column.positive_infinity, column.negative_infinity) == (1, 0, 1)


def test_times_with_a_zone_are_told_in_utc() -> None:
    column = column_of("c", [datetime.datetime(2024, 1, 1, 1, tzinfo=BERLIN)])
    assert column.aware
    assert column.values.tolist() == [naive(2023, 12, 31, 23)]


def test_missing_times_are_nulls() -> None:
    assert column_of("c", np.array(["2024-01-01", "NaT"], dtype="datetime64[s]")).nulls == 1


@pytest.mark.parametrize(
    ("kind", "values", "fitting"),
    [
        (Kind.INTEGER, [1, "x", 2.0, 2.5, True], [1, 2, 1]),
        (Kind.INTEGER, [2**64, 10**999, -(10**1001)], [2**64, 10**999]),
        (Kind.FLOAT, [1, "x", Decimal("0.5")], [1.0, 0.5]),
        (Kind.BOOLEAN, [0, 1, "x", 2], [False, True]),
        (Kind.DATE, ["2024-01-31", "tomorrow"], [naive(2024, 1, 31)]),
        (Kind.TIMESTAMP, ["2024-01-31T12:00:00", 7], [naive(2024, 1, 31, 12)]),
        (Kind.BINARY, [b"a", "a"], [b"a"]),
        (Kind.TEXT, ["a", 1], ["a", "1"]),
        (Kind.JSON, ['{"a": 1}', {"b": [1]}], ['{"a": 1}', '{"b": [1]}']),
        (Kind.DECIMAL, [1, 0.1, "x", Decimal("1E+100000")], [10, 1]),
    ],
)
def test_what_does_not_fit_the_declared_kind_is_counted(kind: Kind, values: list[Any], fitting: list[Any]) -> None:
    column = column_of("c", [*values, None], kind)
    assert column.values.tolist() == fitting
    assert (column.rows, column.nulls) == (len(values) + 1, 1)
    assert column.misfits == len(values) - len(fitting)


def test_a_declared_kind_goes_before_that_of_the_array() -> None:
    assert column_of("c", np.array([1, 2]), Kind.FLOAT).values.dtype == np.float64
    column = column_of("c", np.ma.MaskedArray(np.array(["a", "b"], dtype=object), [True, False]))
    assert (column.kind, column.nulls, column.values.tolist()) == (Kind.TEXT, 1, ["b"])


def test_a_stretch_of_a_reader_is_taken_as_it_is() -> None:
    values = np.array(["2024-01-31", "1970-01-01"], dtype="datetime64[D]")
    column = column_of_stretch("c", Kind.DATE, values, np.array([False, True]))
    assert column.values.tolist() == [naive(2024, 1, 31)]
    assert (column.rows, column.nulls, column.aware) == (2, 1, False)
    numbers = np.array([1.5, 2.5])
    assert column_of_stretch("c", Kind.FLOAT, numbers, np.array([False, False])).values is numbers
    assert column_of_stretch("c", Kind.TIMESTAMP, values, aware=True).aware


def test_an_array_of_complex_numbers_is_no_column() -> None:
    with pytest.raises(ColumnError, match="complex128"):
        column_of("c", np.array([1j]))


def test_equal_columns_are_not_compared_by_value() -> None:
    """An array compares to an array; a column is itself only."""
    column: Column = column_of("c", [1, 2])
    assert column != column_of("c", [1, 2])
