"""The guard against two columns that have nothing in common but the time."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.associations.matrix import associate
from analysis.associations.results import AssociationMatrix, AssociationOptions, Method, TrendGuard
from analysis.associations.trend import clock_of, is_only_trend
from analysis.columns import Array
from analysis.frames import Frame, frame_of

ROWS = 600
HOURS = np.datetime64("2026-01-01", "us") + (np.arange(ROWS) * 3_600_000_000).astype("timedelta64[us]")


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def walk(seed: int) -> Array:
    chance = np.random.default_rng(seed)
    return np.cumsum(0.1 + chance.normal(size=ROWS) * 0.3)


def guard(matrix: AssociationMatrix, a: str = "a", b: str = "b") -> TrendGuard:
    pair = next(pair for pair in matrix.pairs if {pair.a, pair.b} == {a, b})
    assert pair.trend is not None
    return pair.trend


@pytest.mark.parametrize("method", [Method.AUTO, Method.PEARSON])
def test_two_random_walks_that_rise_are_only_a_trend(method: Method) -> None:
    frame = frame_of({"a": walk(1), "b": walk(2), "when": HOURS})
    found = guard(associate(frame, AssociationOptions(method=method)))
    assert found.only_trend
    assert found.low <= found.effect <= found.high
    assert abs(found.effect) < 0.15
    assert found.n == ROWS - 1
    assert not found.per_stamp


@pytest.mark.parametrize("method", [Method.AUTO, Method.PEARSON])
def test_what_moves_together_is_more_than_a_trend(method: Method) -> None:
    first = walk(1)
    frame = frame_of({"a": first, "b": 2 * first + np.random.default_rng(3).normal(size=ROWS) * 0.1, "when": HOURS})
    found = guard(associate(frame, AssociationOptions(method=method)))
    assert not found.only_trend
    assert found.effect > 0.8


def test_rows_in_any_order_and_nulls_in_the_time() -> None:
    order = np.random.default_rng(4).permutation(ROWS)
    stamps = HOURS.copy()
    stamps[5] = np.datetime64("NaT")
    sorted_rows = {"a": walk(1), "b": walk(2), "when": stamps}
    shuffled = {name: values[order] for name, values in sorted_rows.items()}
    assert guard(associate(frame_of(shuffled))) == guard(associate(frame_of(sorted_rows)))


def test_rows_that_share_a_stamp_are_averaged_first() -> None:
    """Ten shops a day: a difference from one shop to the next would be none in time."""
    days = np.repeat(HOURS[: ROWS // 10], 10)
    chance = np.random.default_rng(5)
    daily = np.cumsum(chance.normal(size=(2, ROWS // 10)), axis=1)
    columns = {name: np.repeat(daily[i], 10) + chance.normal(size=ROWS) * 0.01 for i, name in enumerate("ab")}
    found = guard(associate(frame_of({**columns, "when": days}), AssociationOptions(method=Method.PEARSON)))
    assert found.per_stamp
    assert found.n == ROWS // 10 - 1
    means = [columns[name].reshape(-1, 10).mean(axis=1) for name in "ab"]
    assert found.effect == pytest.approx(np.corrcoef(np.diff(means))[0, 1], abs=1e-9)


def test_the_clock_itself_has_no_guard_and_is_told() -> None:
    matrix = associate(frame_of({"a": walk(1), "b": walk(2), "when": HOURS}))
    assert matrix.time_column == "when"
    assert [pair.trend for pair in matrix.pairs if "when" in (pair.a, pair.b)] == [None, None]


def frame_with_two_times() -> Frame:
    sparse = HOURS.copy()
    sparse[::2] = np.datetime64("NaT")
    return frame_of({"sparse": sparse, "full": HOURS, "a": walk(1), "b": walk(2)})


def test_the_clock_is_the_fullest_column_of_times_or_the_one_asked_for() -> None:
    assert (clock := clock_of(frame_with_two_times(), None, random())) is not None
    assert clock.name == "full"
    assert (asked := clock_of(frame_with_two_times(), "sparse", random())) is not None
    assert asked.name == "sparse"
    assert len(asked.order) == ROWS // 2


@pytest.mark.parametrize("name", ["a", "nowhere"])
def test_what_is_no_column_of_times_is_said(name: str) -> None:
    matrix = associate(frame_with_two_times(), AssociationOptions(time=name))
    assert matrix.time_column is None
    assert name in matrix.remarks[0]


def test_few_stamps_order_nothing() -> None:
    assert clock_of(frame_of({"t": np.repeat(HOURS[:9], 5)}), None, random()) is None
    assert clock_of(frame_of({"t": np.full(50, np.datetime64("NaT"), dtype="datetime64[us]")}), None, random()) is None


def test_only_trend_is_said_where_it_is_sure() -> None:
    assert is_only_trend(0.8, -0.1, 0.1, 1)
    assert not is_only_trend(0.8, -0.6, 0.6, 1)  # too few differences to tell
    assert not is_only_trend(0.8, 0.3, 0.5, 1)
    assert is_only_trend(0.8, -0.9, -0.5, 1)  # the other way round
    assert not is_only_trend(0.8, -0.9, -0.5, -1)
    assert not is_only_trend(0.05, -0.01, 0.01, 1)  # nothing to guard
