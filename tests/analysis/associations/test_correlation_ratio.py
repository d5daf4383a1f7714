"""Groups of numbers: the tests are those of scipy, the ratios those of their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.associations.columns import Categories, Numbers, prepared
from analysis.associations.correlation_ratio import (
    correlation_ratio,
    groups_of,
    influence_deviation,
    kruskal_wallis,
)
from analysis.associations.group_sums import grouped
from analysis.associations.moments import centred
from analysis.associations.ranks import ranked
from analysis.associations.results import AssociationOptions
from analysis.columns import Array
from analysis.frames import frame_of

LEVEL = 0.95


def never() -> None:
    pass


def sample(seed: int, n: int = 400, gap: float = 0.5, groups: int = 4) -> tuple[Array, Array]:
    chance = np.random.default_rng(seed)
    codes = chance.integers(0, groups + 1, n)
    values = np.round(gap * codes + chance.normal(size=n), 1)
    values[chance.random(n) < 0.1] = np.nan
    return values, codes


def parts(values: Array, codes: Array) -> list[Array]:
    return [values[(codes == code) & ~np.isnan(values)] for code in range(1, int(codes.max()) + 1)]


def test_the_ratios_by_their_definitions() -> None:
    values, codes = sample(1)
    found = correlation_ratio(groups_of(values, codes, 4), influence_deviation(values, codes), LEVEL)
    assert found is not None
    groups = parts(values, codes)
    joined = np.concatenate(groups)
    total = float(np.sum((joined - joined.mean()) ** 2))
    within = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    n, k = len(joined), len(groups)
    assert found.eta_squared == pytest.approx(1 - within / total, abs=1e-9)
    assert found.epsilon_squared == pytest.approx(1 - (within / (n - k)) / (total / (n - 1)), abs=1e-9)
    mean_square = within / (n - k)
    assert found.omega_squared == pytest.approx(
        (total - within - (k - 1) * mean_square) / (total + mean_square), abs=1e-9
    )
    assert found.effect == pytest.approx(np.sqrt(found.epsilon_squared))
    assert found.f_p == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-9)


def test_kruskal_wallis_is_that_of_scipy() -> None:
    values, codes = sample(2, gap=0.1)
    values[codes == 0] = np.nan  # ranks among the rows that have both
    ranks = ranked(values)
    scores = ranks.scores()[ranks.codes].astype(np.float64)
    scores[np.isnan(values)] = np.nan
    expected = stats.kruskal(*parts(values, codes))
    assert kruskal_wallis(groups_of(scores, codes, 4)) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


def test_all_columns_in_one_pass_give_the_same() -> None:
    chance = np.random.default_rng(3)
    values = {f"n{i}": sample(i, n=5_000)[0] + 1e6 * i for i in range(3)}
    texts = {f"c{i}": [None if v == 0 else f"v{v}" for v in chance.integers(0, 6, 5_000).tolist()] for i in range(2)}
    columns = [prepared(column, AssociationOptions()) for column in frame_of({**values, **texts}).columns]
    numbers = [column for column in columns if isinstance(column, Numbers)]
    categories = [column for column in columns if isinstance(column, Categories)]
    found = grouped([centred(x.values) for x in numbers], categories, {0: [0, 2], 1: [1]}, never)
    assert set(found) == {(0, 0), (2, 0), (1, 1)}
    for (i, g), groups in found.items():
        x, c = numbers[i], categories[g]
        alone = groups_of(x.values - np.nanmean(x.values), c.codes, len(c.labels))
        assert groups.counts.tolist() == alone.counts.tolist()
        assert groups.between / groups.total == pytest.approx(alone.between / alone.total, rel=1e-9)


def test_neither_labels_nor_units_matter() -> None:
    values, codes = sample(4)
    first = correlation_ratio(groups_of(values, codes, 4), 1.0, LEVEL)
    swapped = np.array([0, 3, 1, 4, 2])[codes]
    second = correlation_ratio(groups_of(1e5 - 4 * values, swapped, 4), 1.0, LEVEL)
    assert first is not None
    assert second is not None
    assert (second.effect, second.low, second.high) == pytest.approx((first.effect, first.low, first.high), abs=1e-6)
    assert 0 <= first.low <= first.effect <= first.high <= 1


def test_what_cannot_be_compared() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert correlation_ratio(groups_of(values, np.array([1, 1, 1]), 1), 1.0, LEVEL) is None
    assert correlation_ratio(groups_of(values, np.array([1, 2, 3]), 3), 1.0, LEVEL) is None
    assert correlation_ratio(groups_of(np.ones(9), np.repeat([1, 2, 3], 3), 3), 1.0, LEVEL) is None
    assert kruskal_wallis(groups_of(np.ones(9), np.repeat([1, 2, 3], 3), 3)) is None


def test_a_category_that_tells_the_number_has_the_ratio_1() -> None:
    found = correlation_ratio(groups_of(np.repeat([1.0, 5.0, 2.0], 10), np.repeat([1, 2, 3], 10), 3), 0.0, LEVEL)
    assert found is not None
    assert (found.effect, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.0])
def test_intervals_hold_what_they_promise_for_groups_spread_differently(gap: float) -> None:
    """Seeds 0 to 399; small groups have the larger spread, for which the usual F promises too much."""
    shares, spread = np.array([0.4, 0.3, 0.15, 0.1, 0.05]), 1 + 0.3 * np.arange(5)
    means = gap * (np.arange(5) - 1)
    between = float(np.sum(shares * (means - np.sum(shares * means)) ** 2))
    truth = np.sqrt(between / (between + float(np.sum(shares * spread**2))))
    kept = 0
    for seed in range(400):
        chance = np.random.default_rng(seed)
        codes = chance.choice(5, 200, p=shares)
        values = means[codes] + spread[codes] * chance.normal(size=200)
        groups = groups_of(values, codes + 1, 5)
        found = correlation_ratio(groups, influence_deviation(values, codes + 1), LEVEL)
        assert found is not None
        kept += found.low <= truth <= found.high
    assert kept >= 0.925 * 400
