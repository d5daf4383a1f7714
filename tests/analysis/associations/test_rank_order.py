"""Kendall's tau-b by its definition, Chatterjee's xi by scipy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.associations.rank_order import coefficient, kendall, null_deviation, xi
from analysis.columns import Array

LEVEL = 0.95


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def codes(values: Array) -> Array:
    return np.asarray(np.unique(values, return_inverse=True)[1])


def test_tau_b_by_counting_every_two_rows() -> None:
    chance = np.random.default_rng(1)
    x = np.round(chance.normal(size=120), 1)
    y = np.round(x + chance.normal(size=120), 1)
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in itertools.combinations(range(120), 2)]
    a, b = np.array(signs).T
    tau = np.sum(a * b) / np.sqrt(np.sum(a != 0) * np.sum(b != 0))
    found = kendall(codes(x), codes(y), LEVEL)
    assert found is not None
    assert found.value == pytest.approx(tau, abs=1e-12)
    assert found.p == pytest.approx(stats.kendalltau(x, y).pvalue, rel=1e-9)


def test_perfect_order_in_few_rows_is_no_certainty() -> None:
    found = kendall(np.arange(8), np.arange(8), LEVEL)
    assert found is not None
    assert found.value == pytest.approx(1.0)
    assert found.low < 0.95
    assert kendall(np.zeros(8, dtype=int), np.arange(8), LEVEL) is None


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_xi_is_that_of_scipy(decimals: int) -> None:
    """Ties are broken by chance, so x has none here."""
    chance = np.random.default_rng(2)
    x = chance.normal(size=500)
    y = np.round(np.cos(3 * x) + 0.3 * chance.normal(size=500), decimals)
    expected = stats.chatterjeexi(x, y, y_continuous=False)
    assert coefficient(codes(x), codes(y)) == pytest.approx(expected.statistic, abs=1e-9)
    found = xi(codes(x), codes(y), LEVEL, random())
    assert found is not None
    assert found.value == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)
    # p of scipy follows from its deviation under independence, and so does ours.
    normal = stats.norm.sf(expected.statistic / null_deviation(codes(y)))
    assert normal == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)


def test_xi_sees_what_is_not_monotone_in_one_direction() -> None:
    x = np.random.default_rng(3).normal(size=2_000)
    forward, backward = xi(codes(x), codes(x**2), LEVEL, random()), xi(codes(x**2), codes(x), LEVEL, random())
    assert forward is not None
    assert backward is not None
    assert forward.value > 0.95
    assert backward.value < 0.6


def test_xi_does_not_depend_on_a_monotone_scale() -> None:
    chance = np.random.default_rng(4)
    x, y = chance.normal(size=300), chance.normal(size=300)
    same = coefficient(codes(np.exp(x)), codes(y**3))
    assert same == pytest.approx(coefficient(codes(x), codes(y)), abs=1e-12)


def test_the_order_of_the_rows_says_nothing_where_x_is_tied() -> None:
    """A table sorted by y would otherwise make any column of a few values look as if it told y."""
    found = xi(np.repeat([0, 1], 500) % 2, np.tile(np.arange(500), 2), LEVEL, random())
    assert found is not None
    assert abs(found.value) < 0.1


def test_of_a_constant_there_is_no_xi() -> None:
    assert xi(np.arange(50), np.zeros(50, dtype=int), LEVEL, random()) is None


@pytest.mark.parametrize("noise", [10.0, 0.5])
def test_the_interval_of_xi_holds_what_it_promises(noise: float) -> None:
    """Seeds 0 to 199; the truth is xi of half a million rows."""

    def drawn(seed: int, n: int) -> tuple[Array, Array]:
        chance = np.random.default_rng(seed)
        x = chance.normal(size=n)
        return codes(x), codes(np.cos(2 * x) + noise * chance.normal(size=n))

    truth = coefficient(*drawn(10_000, 500_000))
    assert truth is not None
    kept = 0
    for seed in range(200):
        found = xi(*drawn(seed, 1_000), LEVEL, random())
        assert found is not None
        kept += found.low <= truth <= found.high
    assert kept >= 0.9 * 200
