"""Which columns can be computed with, and what is told of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.associations.columns import Categories, Numbers, prepared
from analysis.associations.results import AssociatedColumn, AssociationOptions, Status
from analysis.frames import frame_of

ROWS = 200
CHANCE = np.random.default_rng(1)
UNUSABLE: dict[str, tuple[Any, Status]] = {
    "all null": ([None] * ROWS, Status.ALL_NULL),
    "all NaN": (np.full(ROWS, np.nan), Status.ALL_NULL),
    "constant": ([None, *[3.5] * (ROWS - 1)], Status.CONSTANT),
    "constant text": (["a"] * ROWS, Status.CONSTANT),
    "only infinities": ([float("inf"), float("-inf")] * (ROWS // 2), Status.ALL_NULL),
    "four values": ([1.0, 2.0, 3.0, 4.0] + [None] * (ROWS - 4), Status.TOO_FEW),
    "row number": (np.arange(ROWS), Status.IDENTIFIER),
    "counted down": (np.arange(ROWS, 0, -1), Status.IDENTIFIER),
    "rising with gaps": (np.cumsum(CHANCE.integers(1, 1_000, ROWS)), Status.IDENTIFIER),
    "shuffled keys": (CHANCE.permutation(ROWS) + 5_000, Status.IDENTIFIER),
    "beyond 2**53": (2**60 + np.arange(ROWS), Status.IDENTIFIER),
    "keys as text": ([f"k{i}" for i in range(ROWS)], Status.IDENTIFIER),
    "text blobs": ([f"a long text {i} " * 200 for i in range(ROWS - 1)] + [None], Status.IDENTIFIER),
    "mostly different texts": ([f"text {i % 150}" for i in range(ROWS)], Status.FREE_TEXT),
    "documents": ([{"a": i} for i in range(ROWS)], Status.UNSUPPORTED),
    "bytes": ([b"x"] * ROWS, Status.UNSUPPORTED),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_says_nothing_has_a_status_and_a_reason(name: str) -> None:
    values, status = UNUSABLE[name]
    told = prepared(frame_of({name: values}).columns[0], AssociationOptions())
    assert isinstance(told, AssociatedColumn)
    assert told.status is status
    assert told.reason


@pytest.mark.parametrize(
    "values",
    [
        CHANCE.normal(size=ROWS),  # unique, but no whole numbers
        CHANCE.permutation(ROWS) * 977,  # whole numbers far apart, in no order
        np.repeat(np.arange(ROWS // 2), 2),  # not unique
        np.arange(15),  # too few to be sure
        [None, *range(ROWS - 1)],  # no identifier is null
        [float("inf"), *CHANCE.normal(size=ROWS - 1)],
        np.datetime64("2026-01-01") + np.arange(ROWS).astype("timedelta64[h]"),
    ],
)
def test_numbers(values: Any) -> None:
    assert isinstance(prepared(frame_of({"x": values}).columns[0], AssociationOptions()), Numbers)


def test_identifiers_can_be_asked_for() -> None:
    options = AssociationOptions(include_identifiers=True)
    assert isinstance(prepared(frame_of({"id": np.arange(ROWS)}).columns[0], options), Numbers)


def test_infinities_are_told() -> None:
    made = prepared(frame_of({"x": [float("inf"), *CHANCE.normal(size=ROWS)]}).columns[0], AssociationOptions())
    assert isinstance(made, Numbers)
    assert (made.told.infinities, made.told.rows_with_value) == (1, ROWS)


def test_times_count_from_the_first() -> None:
    stamps = np.array(["2026-01-02T00:00", "NaT", *["2026-01-01T00:00"] * 5], dtype="datetime64[us]")
    made = prepared(frame_of({"t": stamps}).columns[0], AssociationOptions())
    assert isinstance(made, Numbers)
    assert made.values[0] == 86_400_000_000.0
    assert np.isnan(made.values[1])
    assert not made.values[2:].any()


def test_levels_are_capped_and_it_is_said() -> None:
    values = [f"v{i}" for i in range(100) for _ in range(100 - i)] + [None] * 7
    column = frame_of({"c": values}).columns[0]
    made = prepared(column, AssociationOptions(max_levels=50))
    assert isinstance(made, Categories)
    assert (made.told.levels, made.told.levels_kept, made.is_capped) == (100, 50, True)
    assert made.labels == (*(f"v{i}" for i in range(50)), "other")
    assert made.counts[0] == 7
    assert made.counts[1:51].tolist() == list(range(100, 50, -1))
    assert made.counts[51] == sum(range(1, 51))
    assert np.bincount(made.codes).tolist() == made.counts.tolist()


def test_as_many_levels_as_are_kept_need_no_other() -> None:
    made = prepared(frame_of({"c": ["a", "b", "c"] * 10}).columns[0], AssociationOptions(max_levels=3))
    assert isinstance(made, Categories)
    assert made.labels == ("a", "b", "c")
    assert not made.is_capped
