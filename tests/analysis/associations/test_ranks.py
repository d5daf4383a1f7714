"""Ranks agree with scipy's, whatever the values look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.associations.ranks import ascending, ranked
from analysis.columns import Array

ROWS = 20_000


def columns() -> dict[str, Array]:
    chance = np.random.default_rng(11)
    normal = chance.normal(size=ROWS)
    return {
        "continuous": normal,
        "few values": np.round(normal * 5),
        "half zeros": np.where(chance.random(ROWS) < 0.5, 0.0, normal),
        "both zeros": np.where(chance.random(ROWS) < 0.5, 0.0, -0.0),
        "far from zero": 1e9 + normal,
        "closer than its leading bits": 1e15 + np.round(normal * 4) / 8,
        "of every size": np.sign(normal) * np.exp(normal * 150),
        "the greatest there are": chance.choice([-1.7e308, 1.7e308, 0.0, 5e-324], ROWS),
        "constant": np.ones(ROWS),
        "falling": -np.arange(ROWS, dtype=np.float64),
    }


@pytest.mark.parametrize("name", columns())
@pytest.mark.parametrize("nulls", [0.0, 0.1])
def test_ranks_are_those_of_scipy(name: str, nulls: float) -> None:
    values = columns()[name].copy()
    values[np.random.default_rng(3).random(ROWS) < nulls] = np.nan
    present = ~np.isnan(values)
    found = ranked(values)
    ranks = (found.scores()[found.codes[present]] + found.n + 1) / 2
    assert np.array_equal(ranks, stats.rankdata(values[present]))
    assert not found.codes[~present].any()
    assert found.distinct == len(np.unique(values[present]))
    assert found.n == present.sum()


@pytest.mark.parametrize("name", columns())
def test_the_order_is_ascending_and_has_every_row_once(name: str) -> None:
    values = columns()[name]
    order = ascending(values)
    assert np.array_equal(np.sort(order), np.arange(ROWS))
    assert np.array_equal(values[order], np.sort(values))


def test_nothing_but_nulls() -> None:
    for rows in (0, 1, ROWS):
        found = ranked(np.full(rows, np.nan))
        assert (found.n, found.distinct) == (0, 0)
        assert not found.codes.any()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=40), st.integers(250, 300))
def test_short_and_long_columns_are_ranked_alike(values: list[float], times: int) -> None:
    """Long ones take the way by leading bits; repeating each value changes no order."""
    short = ranked(np.array(values, dtype=np.float64))
    long = ranked(np.tile(np.array(values, dtype=np.float64), times))
    assert np.array_equal(long.codes[: len(values)], short.codes)
    assert np.array_equal(long.counts[1:], short.counts[1:] * times)
