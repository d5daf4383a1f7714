"""Limits are beyond what was seen, by as much as the rate says on average over histories."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.monitoring.tail_limits import upper_limit

SHAPES = {
    "normal": stats.norm(),
    "Laplace": stats.laplace(),
    "exponential": stats.expon(loc=-0.69),
    "log-normal": stats.lognorm(1.0, loc=-1.0),
    "Student of 3 degrees": stats.t(3),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [500, 4000])
def test_the_rate_is_kept_on_average(shape: str, count: int) -> None:
    """The chance beyond the limit is known of each history, so that its mean over 80 has a small error."""
    rng = np.random.default_rng(21)
    law = SHAPES[shape]
    beyond = [law.sf(upper_limit(law.rvs(count, random_state=rng), 2e-4)) / 2e-4 for _ in range(80)]
    print(f"seed 21, {shape}, {count}: {np.mean(beyond):.2f} +- {np.std(beyond) / 80**0.5:.2f}")
    assert np.mean(beyond) < 2.2
    assert np.mean(beyond) > (0.15 if count == 500 else 0.4)


def test_a_few_that_stand_out_do_not_move_the_limit() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal(2000)
    calm = upper_limit(values, 1e-4)
    values[:3] = [40.0, 41.0, 45.0]
    assert upper_limit(values, 1e-4) < 1.3 * calm


def test_a_second_population_is_fitted_alone() -> None:
    """Spikes of up to about 100 in a quiet series: nothing makes a limit of thousands likely."""
    rng = np.random.default_rng(3)
    values = rng.gamma(2.0, 10.0, 4000) * (rng.random(4000) < 0.04) + rng.exponential(0.4, 4000)
    assert 70.0 < upper_limit(values, 1e-4) < 400.0


def test_too_few_and_all_the_same() -> None:
    assert math.isinf(upper_limit(np.arange(10.0), 1e-3))
    assert upper_limit(np.zeros(1000), 1e-3) == 0.0


def test_a_rate_that_has_been_seen_is_a_quantile() -> None:
    values = np.random.default_rng(3).standard_normal(10_000)
    assert upper_limit(values, 0.1) == pytest.approx(np.quantile(values, 0.9))


def test_of_little_a_limit_is_not_told_that_helps_nobody() -> None:
    for seed in range(30):
        values = np.random.default_rng([seed, 1]).standard_normal(60)
        assert upper_limit(values, 5e-5) <= 6.0 * np.max(values)
