"""Several series as one: what is not known is not zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.timeseries.combining import combined, missing, newest

NAN = math.nan
MATRICES = st.integers(1, 7).flatmap(
    lambda count: arrays(float, (count, 5), elements=st.one_of(st.just(NAN), st.integers(-9, 9).map(float)))
)


def one_group(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.zeros(len(values), np.int64)


@settings(max_examples=150, deadline=None)
@given(MATRICES, st.sampled_from(["sum", "avg", "min", "max", "count", "p50", "p90", "p99"]))
def test_one_of_many_is_what_plain_python_says(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]], how: str
) -> None:
    made = combined(values, one_group(values), 1, how, skip=True)[0]
    for column, value in zip(values.T, made, strict=True):
        here = [float(each) for each in column if not math.isnan(each)]
        if not here:
            assert math.isnan(value)
            continue
        expected = {
            "sum": math.fsum(here),
            "avg": math.fsum(here) / len(here),
            "min": min(here),
            "max": max(here),
            "count": len(here),
        }.get(how)
        if expected is None:
            expected = float(np.quantile(here, float(how[1:]) / 100))
        assert value == pytest.approx(expected, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(MATRICES)
def test_missing_counts_those_between_their_first_and_last_value(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> None:
    counts = missing(values, one_group(values), 1)[0]
    for t in range(values.shape[1]):
        lacking = [
            row
            for row in values
            if math.isnan(row[t]) and not np.isnan(row[:t]).all() and not np.isnan(row[t + 1 :]).all()
        ]
        assert counts[t] == len(lacking)


def test_a_sum_is_not_known_while_a_part_of_it_is_not() -> None:
    values = np.array([[1.0, 1.0, 1.0, 1.0], [10.0, NAN, 10.0, NAN]])
    groups = np.zeros(2, np.int64)
    np.testing.assert_array_equal(combined(values, groups, 1, "sum"), [[11, NAN, 11, 1]])
    np.testing.assert_array_equal(combined(values, groups, 1, "sum", skip=True), [[11, 1, 11, 1]])
    np.testing.assert_array_equal(combined(values, groups, 1, "avg"), [[5.5, 1, 5.5, 1]])


def test_groups_are_apart() -> None:
    values = np.array([[1.0, 2.0], [10.0, 20.0], [100.0, NAN]])
    groups = np.array([0, 1, 0])
    np.testing.assert_array_equal(combined(values, groups, 3, "max"), [[100, 2], [10, 20], [NAN, NAN]])


def test_the_newest_is_that_of_the_series_heard_of_last() -> None:
    values = np.array([[1.0, 2.0, NAN], [10.0, NAN, NAN]])
    at = np.array([[5.0, 9.0, NAN], [7.0, 4.0, NAN]])
    np.testing.assert_array_equal(newest(values, at, np.zeros(2, np.int64), 1), [[10, 2, NAN]])
