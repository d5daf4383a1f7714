"""Tail probabilities agree with scipy.stats, far out, too; bounds hold; the correction is Benjamini and Hochberg's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.significance import (
    adjusted,
    lower_chi_square,
    mid_ranks,
    normal_scores,
    two_sided_normal,
    two_sided_t,
    upper_binomial,
    upper_chi_square,
    upper_f,
    upper_hypergeometric,
    upper_signs,
)


@pytest.mark.parametrize("statistic", [0.0, 0.7, -2.5, 6.0, 14.0])
def test_two_sided_tails(statistic: float) -> None:
    assert two_sided_t(statistic, 17) == pytest.approx(2 * stats.t.sf(abs(statistic), 17), rel=1e-9)
    assert two_sided_normal(statistic) == pytest.approx(2 * stats.norm.sf(abs(statistic)), rel=1e-9)


@pytest.mark.parametrize("statistic", [0.1, 3.0, 40.0])
def test_upper_and_lower_tails(statistic: float) -> None:
    assert upper_f(statistic, 3, 40) == pytest.approx(stats.f.sf(statistic, 3, 40), rel=1e-9)
    assert upper_chi_square(statistic, 6) == pytest.approx(stats.chi2.sf(statistic, 6), rel=1e-9)
    assert lower_chi_square(statistic, 6) == pytest.approx(stats.chi2.cdf(statistic, 6), rel=1e-9)


@pytest.mark.parametrize(("both", "rows", "first", "second"), [(5, 100, 10, 20), (10, 100, 10, 20), (0, 50, 5, 5)])
def test_discrete_tails(both: int, rows: int, first: int, second: int) -> None:
    assert upper_hypergeometric(both, rows, first, second) == pytest.approx(
        stats.hypergeom.sf(both - 1, rows, first, second), rel=1e-8
    )
    assert upper_binomial(both, rows, 0.1) == pytest.approx(stats.binom.sf(both - 1, rows, 0.1), rel=1e-9)
    assert upper_hypergeometric(11, rows, 10, 20) == 0.0


def test_what_cannot_be_judged_is_never_significant() -> None:
    assert two_sided_t(float("nan"), 10) == 1.0
    assert two_sided_t(3.0, 0) == 1.0
    assert upper_f(3.0, 0, 10) == 1.0
    assert upper_signs(float("nan")) == 1.0


def test_random_signs_stay_below_their_bound_for_heavy_tails() -> None:
    rng = np.random.default_rng(7)
    sizes = rng.standard_cauchy(60)
    sums = (rng.choice([-1.0, 1.0], (100_000, 60)) * sizes).sum(axis=1) / np.sqrt(np.sum(sizes**2))
    for limit in (0.9, 1.5, 2.0, 2.5):
        assert np.mean(sums >= limit) <= upper_signs(limit) + 0.002


def test_correction_agrees_with_scipy() -> None:
    chances = np.random.default_rng(3).beta(0.4, 1.0, 300)
    np.testing.assert_allclose(adjusted(chances), stats.false_discovery_control(chances), rtol=1e-12)
    assert len(adjusted(np.zeros(0))) == 0


def test_ranks_and_scores() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0, 7.0])
    np.testing.assert_array_equal(mid_ranks(values), stats.rankdata(values))
    scores = normal_scores(np.array([np.nan, *values]))
    assert np.isnan(scores[0])
    np.testing.assert_allclose(scores[1:], stats.norm.ppf((stats.rankdata(values) - 0.5) / 5))
