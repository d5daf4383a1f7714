"""Tables of two categories: the measures by their definitions, the tests by scipy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.associations.contingency import (
    Table,
    chi_square,
    corrected_information,
    cramers_v,
    independence,
    information,
    information_as_correlation,
    likelihood_ratio,
    table_of,
    theils_u,
)
from analysis.columns import Array

LEVEL = 0.95


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def some_table(seed: int = 1, shape: tuple[int, int] = (4, 3), n: int = 2_000, share: float = 0.3) -> Table:
    chance = np.random.default_rng(seed)
    a = chance.integers(1, shape[0] + 1, n)
    b = np.where(chance.random(n) < share, (a % shape[1]) + 1, chance.integers(1, shape[1] + 1, n))
    return table_of(a, b, *shape)


def test_a_table_counts_rows_that_have_both() -> None:
    a, b = np.array([1, 1, 2, 0, 3, 3]), np.array([2, 2, 0, 1, 1, 4])
    table = table_of(a, b, 5, 4)
    assert table.counts.tolist() == [[0, 2, 0], [1, 0, 1]]  # levels that no row with both has are left out
    assert table.n == 4


def test_chi_square_is_that_of_scipy_without_yates() -> None:
    for shape in ((2, 2), (4, 3), (12, 7)):
        table = some_table(shape=shape)
        expected = stats.chi2_contingency(table.counts, correction=False)
        assert float(chi_square(table.counts)) == pytest.approx(expected.statistic, rel=1e-9)
        p, test = independence(table, chi_square, 199, random())
        assert test == "chi-square"
        assert p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)
        ratio = stats.chi2_contingency(table.counts, correction=False, lambda_="log-likelihood")
        assert float(likelihood_ratio(table.counts)) == pytest.approx(ratio.statistic, rel=1e-9)


def test_cramers_v_is_that_of_bergsma() -> None:
    for seed, share in enumerate((0.0, 0.05, 0.4, 0.9)):
        table = some_table(seed, share=share)
        n, (r, c) = table.n, table.counts.shape
        phi2 = stats.chi2_contingency(table.counts, correction=False).statistic / n
        corrected = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
        side = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
        found = cramers_v(table, LEVEL)
        assert found is not None
        assert found.value == pytest.approx(math.sqrt(corrected / side), abs=1e-9)
        plain = stats.contingency.association(table.counts, method="cramer")
        assert found.value < plain


def test_entropies_are_those_of_scipy() -> None:
    table = some_table()
    rows, columns = table.counts.sum(axis=1), table.counts.sum(axis=0)
    by_scipy = stats.entropy(rows) + stats.entropy(columns) - stats.entropy(table.counts.ravel())
    assert float(information(table.counts)) == pytest.approx(by_scipy, abs=1e-12)
    r, c = table.counts.shape
    miller_madow = by_scipy + ((r - 1) + (c - 1) - (np.count_nonzero(table.counts) - 1)) / (2 * table.n)
    assert corrected_information(table) == pytest.approx(miller_madow, abs=1e-12)
    entropy = stats.entropy(columns) + (c - 1) / (2 * table.n)
    assert theils_u(table, LEVEL).value == pytest.approx(miller_madow / entropy, abs=1e-12)


def test_theils_u_has_a_direction() -> None:
    """The month tells the quarter; the quarter does not tell the month."""
    month = np.tile(np.arange(1, 13), 50)
    quarter = (month - 1) // 3 + 1
    forward, backward = table_of(month, quarter, 12, 4), table_of(quarter, month, 4, 12)
    assert theils_u(forward, LEVEL).value == pytest.approx(1.0, abs=0.01)
    assert theils_u(backward, LEVEL).value == pytest.approx(math.log(4) / math.log(12), abs=0.02)


def test_information_reads_like_the_correlation_of_normal_columns() -> None:
    chance = np.random.default_rng(6)
    x = chance.normal(size=200_000)
    y = 0.6 * x + 0.8 * chance.normal(size=200_000)
    bins = [np.searchsorted(np.quantile(v, np.linspace(0, 1, 33)[1:-1]), v) + 1 for v in (x, y)]
    found = information_as_correlation(table_of(bins[0], bins[1], 32, 32), LEVEL)
    assert found.value == pytest.approx(0.6, abs=0.02)


@st.composite
def tables(draw: st.DrawFn) -> Array:
    r, c = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    cells = draw(st.lists(st.integers(0, 60), min_size=r * c, max_size=r * c))
    counts = np.array(cells).reshape(r, c)
    counts[0, 0] += 1
    counts[1, 1] += 4
    return counts


@settings(max_examples=150, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_bounds_and_what_labels_do_not_matter_for(counts: Array, shuffling) -> None:  # type: ignore[no-untyped-def]
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    table = Table(counts)
    rows, columns = list(range(counts.shape[0])), list(range(counts.shape[1]))
    shuffling.shuffle(rows)
    shuffling.shuffle(columns)
    relabelled = Table(counts[rows][:, columns])
    for measure in (cramers_v, theils_u, information_as_correlation):
        found, other = measure(table, LEVEL), measure(relabelled, LEVEL)
        if found is None or other is None:
            assert found is other
            continue
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert (found.value, found.low, found.high) == pytest.approx((other.value, other.low, other.high), abs=1e-7)
    turned, straight = cramers_v(Table(counts.T), LEVEL), cramers_v(table, LEVEL)
    assert (turned and turned.value) == pytest.approx(straight and straight.value, abs=1e-12)


def test_a_small_table_is_tested_exactly() -> None:
    for counts in ([[3, 0], [1, 4]], [[8, 2], [1, 5]], [[1, 8], [9, 1]], [[2, 1], [1, 2]]):
        p, test = independence(Table(np.array(counts)), chi_square, 199, random())
        assert test == "Fisher's exact"
        assert p == pytest.approx(stats.fisher_exact(counts).pvalue, abs=1e-9)


def test_a_sparse_table_is_permuted() -> None:
    chance = np.random.default_rng(8)
    a, b = chance.integers(1, 11, 60), chance.integers(1, 9, 60)
    table = table_of(a, b, 10, 8)
    p, test = independence(table, chi_square, 999, random())
    assert test == "999 permutations"
    shuffled = [float(chi_square(table_of(a, chance.permutation(b), 10, 8).counts)) for _ in range(999)]
    counted = np.mean(np.array(shuffled) >= float(chi_square(table.counts)))
    assert p == pytest.approx(counted, abs=0.06)


def test_beyond_what_was_permuted_p_still_falls() -> None:
    """Otherwise no pair among many could pass a correction for their number."""
    chance = np.random.default_rng(9)
    a = chance.integers(1, 13, 120)
    p, _ = independence(table_of(a, a, 12, 12), chi_square, 199, random())
    weaker, _ = independence(table_of(a, np.where(chance.random(120) < 0.6, a, 1), 12, 12), chi_square, 199, random())
    assert p < weaker < 1e-6


def test_intervals_hold_what_they_promise() -> None:
    """Seeds 0 to 399; the truth is that of the shares."""
    shares = np.array([[20, 5, 5, 2], [6, 18, 4, 4], [2, 4, 15, 15]]) / 100
    rows, columns = shares.sum(axis=1, keepdims=True), shares.sum(axis=0, keepdims=True)
    v = math.sqrt(float((shares**2 / rows / columns).sum() - 1) / 2)
    u = float((shares * np.log(shares / rows / columns)).sum()) / stats.entropy(columns.ravel())
    kept = {"v": 0, "u": 0}
    for seed in range(400):
        counts = np.random.default_rng(seed).multinomial(300, shares.ravel()).reshape(3, 4)
        found_v, found_u = cramers_v(Table(counts), LEVEL), theils_u(Table(counts), LEVEL)
        assert found_v is not None
        kept["v"] += found_v.low <= v <= found_v.high
        kept["u"] += found_u.low <= u <= found_u.high
    assert 0.92 * 400 <= kept["v"] <= 0.99 * 400
    assert 0.92 * 400 <= kept["u"] <= 0.99 * 400
