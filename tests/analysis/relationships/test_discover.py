"""The whole search: bad data, time, cancelling, repeatable answers."""

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest

from analysis.frames import Frame, frame_of
from analysis.relationships.discover import discover
from analysis.relationships.findings import ColumnStatus, PartStatus, RelationshipOptions, Relationships


def nothing(*_: Any) -> None:
    pass


@pytest.mark.parametrize(
    "frame",
    [
        Frame((), 0),
        frame_of({"a": []}),
        frame_of({"a": [1]}),
        frame_of({"a": [1], "b": ["x"]}),
        frame_of({"a": [None] * 30, "b": [None] * 30}),
        frame_of({"a": [5] * 30, "b": ["x"] * 30}),
        frame_of({"a": [float("inf"), 1.0, float("nan")] * 20, "b": [-0.0, 0.0, 1.0] * 20}),
        frame_of({"a": [{"k": 1}] * 9, "b": [b"x"] * 9}),
        frame_of({"a": ["x" * 100_000 + str(row) for row in range(5)], "b": [1, "x", 2.5, None, True]}),
        frame_of({"a": [2**62 + row for row in range(40)], "b": [1e308 * (row % 2) for row in range(40)]}),
        frame_of({"a": np.full(40, 1e308) * np.linspace(-1, 1, 40), "b": 1e308 * np.linspace(1, -1, 40)}),
    ],
)
def test_bad_data_have_an_answer(frame: Frame) -> None:
    found = discover({"one": frame, "two": frame}, RelationshipOptions(), nothing, nothing)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Relationships, strict=False).parts == found.parts
    assert [seen.rows for seen in found.datasets] == [frame.rows] * 2


def test_nothing_at_all() -> None:
    found = discover({}, RelationshipOptions(), nothing, nothing)
    assert {part.status for part in found.parts.values()} == {PartStatus.NOTHING_TO_TEST}


def test_columns_that_took_no_part_are_told() -> None:
    frame = frame_of({"a": [1] * 5, "b": [None] * 5, "c": [{"k": 1}] * 5, "d": [1, 2, 3, 4, 5]})
    (seen,) = discover({"t": frame}, RelationshipOptions(), nothing, nothing).datasets
    assert seen.columns == {
        "a": ColumnStatus.CONSTANT,
        "b": ColumnStatus.EMPTY,
        "c": ColumnStatus.NOT_COMPARABLE,
    }


def test_ten_thousand_columns_are_bounded_by_a_rule_that_is_told() -> None:
    random = np.random.default_rng(1)
    frame = frame_of({f"c{number}": random.integers(0, 9, 30) for number in range(10_000)})
    found = discover({"wide": frame}, RelationshipOptions(seconds=5), nothing, nothing)
    assert found.parts["columns"].status is PartStatus.LEFT_OUT
    assert (found.parts["columns"].tested, found.parts["columns"].untested) == (400, 9600)


def test_out_of_time_is_told_with_what_was_left() -> None:
    moments = itertools.count(0.0, 0.02)
    random = np.random.default_rng(1)
    frame = frame_of({f"c{number}": random.integers(0, 50, 200) for number in range(40)})
    found = discover({"t": frame}, RelationshipOptions(seconds=3), nothing, nothing, now=lambda: next(moments))
    assert found.parts["dependencies"].status is PartStatus.OUT_OF_TIME
    assert found.parts["dependencies"].untested > 500


class Cancelled(Exception):
    pass


def test_it_is_cancelled_between_steps() -> None:
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 20:
            raise Cancelled

    random = np.random.default_rng(1)
    frame = frame_of({f"c{number}": random.integers(0, 50, 200) for number in range(20)})
    with pytest.raises(Cancelled):
        discover({"t": frame}, RelationshipOptions(), nothing, check)
    assert looks == 20


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    frame = frame_of({"a": [1, 2, 3], "b": [1, 1, 2]})
    discover({"x": frame, "y": frame}, RelationshipOptions(), lambda share, _: told.append(share), nothing)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_one_seed_one_answer() -> None:
    random = np.random.default_rng(2)
    codes = random.integers(0, 30, 900)
    frame = frame_of({"a": codes, "b": codes // 3, "c": random.normal(size=900), "d": random.normal(size=900)})
    first, second = (discover({"t": frame}, RelationshipOptions(seed=5), nothing, nothing) for _ in range(2))
    assert first == second
    assert first.seed == 5
