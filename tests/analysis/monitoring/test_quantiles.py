"""Quantiles of histograms are Prometheus's, and never outside their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.monitoring.quantiles import histogram_quantiles, merged


def plainly(bounds: list[float], counts: list[float], q: float) -> float:
    """bucketQuantile of Prometheus's promql/quantile.go, in its own order."""
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    for place in range(1, len(counts)):
        counts[place] = max(counts[place], counts[place - 1])
    observations = counts[-1]
    if observations == 0:
        return math.nan
    rank = q * observations
    b = next((place for place in range(len(counts) - 1) if counts[place] >= rank), len(counts) - 1)
    if b == len(counts) - 1:
        return bounds[-2]
    if b == 0 and bounds[0] <= 0:
        return bounds[0]
    start, end, count = 0.0, bounds[b], counts[b]
    if b > 0:
        start = bounds[b - 1]
        count -= counts[b - 1]
        rank -= counts[b - 1]
    return start + (end - start) * (rank / count if count else 0.0)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=8, unique=True),
    st.lists(st.integers(0, 20), min_size=9, max_size=9),
    st.floats(-0.1, 1.1),
)
def test_as_prometheus(bounds: list[float], new: list[int], q: float) -> None:
    edges = [*sorted(bounds), math.inf]
    counts = np.cumsum(new[: len(edges)]).astype(float)
    found = histogram_quantiles(np.array(edges), counts[:, None], q)
    wanted = plainly(edges, counts.tolist(), q)
    assert float(found.value[0]) == pytest.approx(wanted, nan_ok=True, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=200),
    st.lists(st.floats(0.1, 90), min_size=2, max_size=6, unique=True),
    st.floats(0, 1),
)
def test_the_true_quantile_is_within_the_bounds(samples: list[float], bounds: list[float], q: float) -> None:
    edges = np.array([*sorted(bounds), math.inf])
    counts = np.array([[float(np.sum(np.array(samples) <= edge))] for edge in edges])
    found = histogram_quantiles(edges, counts, q)
    rank = max(1, math.ceil(q * len(samples) - 1e-9))
    true = sorted(samples)[rank - 1]
    assert found.lower[0] <= true <= found.upper[0]


def test_columns_are_told_apart() -> None:
    counts = np.array([[1.0, 0.0, np.nan, 3.0], [2.0, 0.0, 1.0, 2.0], [4.0, 0.0, 1.0, 4.0]])
    found = histogram_quantiles(np.array([1.0, 2.0, math.inf]), counts, 0.5)
    assert found.value[0] == pytest.approx(2.0)
    assert np.isnan(found.value[1])
    assert np.isnan(found.value[2])
    assert found.value[3] == pytest.approx(2 / 3)  # 3, 2, 4 is lifted to 3, 3, 4


def test_the_lowest_of_a_histogram_that_begins_below_0() -> None:
    found = histogram_quantiles(np.array([0.0, 1.0, math.inf]), np.array([[0.0], [2.0], [2.0]]), 0.0)
    assert (found.value[0], found.lower[0], found.upper[0]) == (0.0, 0.0, 1.0)


def test_without_a_last_bucket_there_is_no_quantile() -> None:
    assert np.isnan(histogram_quantiles(np.array([1.0, 2.0]), np.ones((2, 1)), 0.5).value).all()


def test_merged_histograms_are_exact_where_all_have_a_bound() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.lognormal(size=100), rng.lognormal(size=70)
    first, second = np.array([0.5, 1.0, 2.0, math.inf]), np.array([0.7, 1.0, 2.0, 5.0, math.inf])
    bounds, counts = merged(
        [
            (first, np.array([[np.sum(one <= bound)] for bound in first], dtype=float)),
            (second, np.array([[np.sum(other <= bound)] for bound in second], dtype=float)),
        ]
    )
    assert bounds.tolist() == [1.0, 2.0, math.inf]
    both = np.concatenate([one, other])
    assert counts[:, 0].tolist() == [float(np.sum(both <= bound)) for bound in bounds]
