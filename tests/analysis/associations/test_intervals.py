"""Intervals: those of scipy where it has them, and else as wide as they promise to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.associations.intervals import (
    fisher_z,
    noncentral_chi_square,
    noncentral_f,
    normal_test,
    pearson_error,
    skewed_test,
    t_test,
)
from analysis.associations.matrix import associate
from analysis.associations.results import AssociationOptions, Method
from analysis.frames import frame_of

SEEDS = 400


def test_fishers_interval_and_students_test_are_those_of_scipy() -> None:
    chance = np.random.default_rng(1)
    for n in (10, 200):
        x = chance.normal(size=n)
        expected = stats.pearsonr(x, x + 2 * chance.normal(size=n))
        for level in (0.8, 0.99):
            found = fisher_z(expected.statistic, pearson_error(expected.statistic, n), level)
            interval = expected.confidence_interval(level)
            assert [float(bound) for bound in found] == pytest.approx([interval.low, interval.high], abs=1e-9)
        assert float(t_test(expected.statistic, n)) == pytest.approx(expected.pvalue, rel=1e-9)


def test_p_of_skewed_columns_is_that_of_permutations() -> None:
    """Where one in a hundred permutations is as extreme, Student's t says it is one in some hundreds."""
    chance = np.random.default_rng(2)
    x, y = (np.exp(1.2 * chance.normal(size=100)) for _ in range(2))
    x, y = ((column - column.mean()) / column.std() for column in (x, y))
    permuted = [float(x @ chance.permutation(y)) / 100 for _ in range(20_000)]
    extreme = float(np.quantile(np.abs(permuted), 0.99))
    skewness = float(np.mean(x**3) * np.mean(y**3))
    assert 0.006 < float(skewed_test(extreme, 100, skewness)) < 0.016
    assert float(t_test(extreme, 100)) < 0.005
    assert float(skewed_test(0.08, 1_000, 1e-3)) == pytest.approx(float(t_test(0.08, 1_000)), rel=0.05)


def test_which_test_p_is_of() -> None:
    chance = np.random.default_rng(3)
    long, other = np.exp(1.5 * chance.normal(size=(2, 150)))
    normal = stats.norm.ppf((chance.permutation(150) + 0.5) / 150)  # of no skewness at all
    matrix = associate(
        frame_of({"long": long, "other": other, "normal": normal}), AssociationOptions(method=Method.PEARSON)
    )
    tests = {frozenset((pair.a, pair.b)): pair.test for pair in matrix.pairs}
    assert tests[frozenset(("long", "other"))] != "Student's t"
    assert {tests[frozenset((name, "normal"))] for name in ("long", "other")} == {"Student's t"}
    for pair in matrix.pairs:
        assert pair.p is not None
        assert pair.effect is not None
        assert pair.p >= float(t_test(pair.effect, pair.n)) - 1e-12


def test_skewed_pairs_pay_for_their_tails() -> None:
    """Seeds 0 to 39: p is never below Student's, and for the extreme ones well above."""
    dearer = 0
    for seed in range(40):
        a, b = np.exp(1.5 * np.random.default_rng(seed).normal(size=(2, 150)))
        pair = associate(frame_of({"a": a, "b": b}), AssociationOptions(method=Method.PEARSON)).pairs[0]
        assert pair.p is not None
        assert pair.effect is not None
        dearer += pair.p > 1.2 * float(t_test(pair.effect, pair.n))
    assert dearer > 0


def test_tests_at_their_ends() -> None:
    assert t_test(np.array([1.0, -1.0, 0.0]), np.array([9, 9, 9])) == pytest.approx([0.0, 0.0, 1.0])
    assert float(normal_test(1.959964)) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("statistic", "freedom"), [(3.0, 4.0), (40.0, 4.0), (9_000.0, 12.0), (300_000.0, 1.0)])
def test_noncentral_chi_square_is_turned_round(statistic: float, freedom: float) -> None:
    low, high = noncentral_chi_square(statistic, freedom, 0.9)
    assert stats.ncx2.cdf(statistic, freedom, high) == pytest.approx(0.05, abs=1e-4)
    if low > 0:
        assert stats.ncx2.cdf(statistic, freedom, low) == pytest.approx(0.95, abs=1e-4)
    else:
        assert stats.chi2.cdf(statistic, freedom) <= 0.95


@pytest.mark.parametrize("statistic", [0.5, 3.0, 60.0])
def test_noncentral_f_is_turned_round(statistic: float) -> None:
    low, high = noncentral_f(statistic, 3, 80, 0.9)
    if high > 0:
        assert stats.ncf.cdf(statistic, 3, 80, high) == pytest.approx(0.05, abs=1e-4)
    if low > 0:
        assert stats.ncf.cdf(statistic, 3, 80, low) == pytest.approx(0.95, abs=1e-4)


@pytest.mark.parametrize("method", [Method.PEARSON, Method.SPEARMAN, Method.KENDALL])
@pytest.mark.parametrize("rho", [0.0, 0.75])
def test_the_interval_of_a_correlation_holds_what_it_promises(method: Method, rho: float) -> None:
    """Seeds 0 to 399 of two normal columns, of which every coefficient is known."""
    truth = {
        Method.PEARSON: rho,
        Method.SPEARMAN: 6 / math.pi * math.asin(rho / 2),
        Method.KENDALL: 2 / math.pi * math.asin(rho),
    }[method]
    kept, widths = 0, []
    for seed in range(SEEDS):
        x, noise = np.random.default_rng(seed).normal(size=(2, 60))
        frame = frame_of({"a": x, "b": rho * x + math.sqrt(1 - rho**2) * noise})
        pair = associate(frame, AssociationOptions(method=method)).pairs[0]
        assert pair.low is not None
        assert pair.high is not None
        kept += pair.low <= truth <= pair.high
        widths.append(pair.high - pair.low)
    assert kept >= 0.925 * SEEDS
    assert kept < SEEDS, "so wide that it says nothing"
    assert np.mean(widths) < 0.55


def test_the_same_order_in_a_few_rows_is_no_certainty() -> None:
    x = np.arange(8) ** 2 + 0.5
    pair = associate(frame_of({"a": x, "b": np.exp(x / 9)}), AssociationOptions(method=Method.SPEARMAN)).pairs[0]
    assert pair.effect == pytest.approx(1.0)
    assert pair.low is not None
    assert 0.5 < pair.low < 0.97
