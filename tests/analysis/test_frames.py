"""Frames: rows stay aligned, whatever the columns hold."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.columns import Kind, objects
from analysis.frames import Frame, FrameBuilder, FrameError, FrameSpec, Role, frame_of, unique_names


def test_roles_by_what_the_values_are() -> None:
    frame = frame_of(
        {
            "whole": [1, None, 3],
            "decimal": [Decimal("1.5"), None, Decimal(2)],
            "flag": [True, None, False],
            "text": ["b", None, "a"],
            "moment": [datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), None, None],
            "day": [datetime.date(2026, 1, 2), None, datetime.date(2026, 1, 3)],
            "document": [{"a": 1}, None, [2]],
            "bytes": [b"x", None, b"y"],
        }
    )
    roles = {column.name: column.role for column in frame.columns}
    assert roles == {
        "whole": Role.NUMERIC,
        "decimal": Role.NUMERIC,
        "flag": Role.CATEGORY,
        "text": Role.CATEGORY,
        "moment": Role.TIME,
        "day": Role.TIME,
        "document": Role.OTHER,
        "bytes": Role.OTHER,
    }
    assert [column.nulls for column in frame.columns] == [1, 1, 1, 1, 2, 1, 1, 1]
    assert frame.column("moment").aware
    assert not frame.column("day").aware
    assert frame.column("flag").levels is not None
    assert frame.column("flag").levels.tolist() == ["false", "true"]  # type: ignore[union-attr]
    assert frame.column("flag").values.tolist() == [1, -1, 0]
    assert frame.column("text").levels.tolist() == ["b", "a"]  # type: ignore[union-attr]


def test_infinities_are_nulls_that_are_counted() -> None:
    column = frame_of({"x": [1.0, float("inf"), float("-inf"), float("nan"), None]}).columns[0]
    assert column.infinities == 2
    assert column.present.tolist() == [True, False, False, False, False]


def test_a_stray_text_does_not_cost_a_column_its_numbers() -> None:
    column = frame_of({"x": [1, 2.5, "three", 4, None]}).columns[0]
    assert (column.role, column.misfits, column.nulls) == (Role.NUMERIC, 1, 2)
    mostly_text = frame_of({"x": ["a", "b", 3]}).columns[0]
    assert mostly_text.role is Role.CATEGORY
    assert mostly_text.levels.tolist() == ["a", "b", "3"]  # type: ignore[union-attr]


def test_whole_numbers_that_float64_cannot_tell_apart_are_kept_exactly() -> None:
    column = frame_of({"id": [2**60, 2**60 + 1]}).columns[0]
    assert column.exact is not None
    assert column.exact.tolist() == [2**60, 2**60 + 1]
    assert frame_of({"id": [2**52, 5]}).columns[0].exact is None
    assert column.take(np.array([1])).exact.tolist() == [2**60 + 1]  # type: ignore[union-attr]


def test_numbers_beyond_int64_and_beyond_float64() -> None:
    column = frame_of({"x": [2**70, 10**400, 1]}).columns[0]
    assert column.values[0] == float(2**70)
    assert column.infinities == 1


def test_empty_and_all_null() -> None:
    assert frame_of({}).rows == 0
    assert frame_of({"x": []}).columns[0].role is Role.CATEGORY
    column = frame_of({"x": [None, None]}).columns[0]
    assert (column.nulls, len(column)) == (2, 2)


def test_masked_arrays() -> None:
    frame = frame_of({"x": np.ma.array([1, 2, 3], mask=[False, True, False]), "y": np.array([1.0, 2.0, 3.0])})
    assert frame.column("x").present.tolist() == [True, False, True]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(FrameError, match="column 'b' has 1 rows, the frame 2"):
        frame_of({"a": [1, 2], "b": [1]})
    builder = FrameBuilder([FrameSpec("a", Kind.FLOAT), FrameSpec("b", Kind.FLOAT)])
    with pytest.raises(FrameError):
        builder.add([(np.zeros(2), None), (np.zeros(1), None)])


def test_duplicate_names_become_unique_and_the_original_is_kept() -> None:
    assert unique_names(["a", "a", "a (2)", "a", "b"]) == ["a", "a (3)", "a (2)", "a (4)", "b"]
    builder = FrameBuilder([FrameSpec("a", Kind.FLOAT), FrameSpec("a", Kind.FLOAT)])
    builder.add([(np.zeros(2), None), (np.ones(2), None)])
    frame = builder.build()
    assert frame.names == ("a", "a (2)")
    assert [column.original for column in frame.columns] == ["a", "a"]


def test_a_sample_says_so() -> None:
    frame = frame_of({"x": [1, 2, 3]}, total_rows=10)
    assert frame.is_sample
    assert not frame_of({"x": [1]}, total_rows=1).is_sample
    assert not frame_of({"x": [1]}).is_sample
    taken = frame.take(np.array([True, False, True]))
    assert (taken.rows, taken.total_rows) == (2, 10)
    assert frame_of({"x": [1, 2]}).take(np.array([0])).is_sample


def test_selecting_columns() -> None:
    frame = frame_of({"x": [1], "y": [2], "z": [3]})
    assert frame.select(["z", "x"]).names == ("z", "x")
    with pytest.raises(FrameError, match="there is no column 'q'"):
        frame.select(["q"])


VALUES: dict[Kind, tuple[Any, Any, Any]] = {
    Kind.INTEGER: (st.integers(-(2**63), 2**63 - 1), 0, np.int64),
    Kind.FLOAT: (st.floats(allow_nan=False, allow_infinity=False), 0.0, np.float64),
    Kind.BOOLEAN: (st.booleans(), False, np.bool_),
    Kind.TEXT: (st.text(max_size=3), "", object),
    Kind.DATE: (st.dates(), None, "datetime64[D]"),
}


@given(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(st.none() | VALUES[kind][0], max_size=20))
    ),
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
)
def test_batches_make_the_same_frame_as_all_at_once(kind_and_values: tuple[Kind, list[Any]], sizes: list[int]) -> None:
    kind, values = kind_and_values
    built = _built(kind, values, sizes).columns[0]
    whole = _built(kind, values, [max(len(values), 1)]).columns[0]
    assert np.array_equal(built.present, [value is not None for value in values])
    assert np.array_equal(built.values[built.present], whole.values[whole.present])
    if built.levels is not None and kind is Kind.TEXT:
        told = [built.levels[code] if code >= 0 else None for code in built.values]
        assert told == values


def _built(kind: Kind, values: list[Any], sizes: list[int]) -> Frame:
    builder, at, turn = FrameBuilder([FrameSpec("x", kind)]), 0, 0
    while at < len(values):
        piece = values[at : at + sizes[turn % len(sizes)]]
        filler, dtype = VALUES[kind][1:]
        filled = [filler if value is None else value for value in piece]
        array = objects(filled) if dtype is object else np.array(filled, dtype=dtype)
        nulls = np.array([value is None for value in piece])
        builder.add([(array, nulls if nulls.any() else None)])
        at, turn = at + len(piece), turn + 1
    return builder.build()
