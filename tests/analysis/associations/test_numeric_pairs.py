"""Pearson's and Spearman's correlation of many pairs are those of scipy, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.associations import numeric_pairs
from analysis.associations.columns import Numbers, prepared
from analysis.associations.moments import all_pairs, centred, listed_pairs
from analysis.associations.numeric_pairs import pearson, relation, spearman
from analysis.associations.results import AssociationOptions, Relation
from analysis.columns import Array
from analysis.frames import frame_of


def never() -> None:
    pass


def numbers(columns: dict[str, Array]) -> list[Numbers]:
    made = [prepared(column, AssociationOptions(include_identifiers=True)) for column in frame_of(columns).columns]
    assert all(isinstance(column, Numbers) for column in made)
    return [column for column in made if isinstance(column, Numbers)]


def mixed(rows: int = 3_000, seed: int = 5) -> list[Numbers]:
    chance = np.random.default_rng(seed)
    shared = chance.normal(size=rows)
    columns = {
        "normal": shared + chance.normal(size=rows),
        "ties": np.round(2 * shared + chance.normal(size=rows)),
        "long tail": np.exp(2 * shared + chance.normal(size=rows)),
        "far away": 1e8 - shared + chance.normal(size=rows),
        "tiny": 1e-200 * (shared + chance.normal(size=rows)),
        "huge": 1e200 * (chance.normal(size=rows) - shared),
        "mostly null": chance.normal(size=rows) + shared,
    }
    for name, share in zip(columns, (0.0, 0.01, 0.1, 0.0, 0.02, 0.01, 0.9), strict=True):
        columns[name][chance.random(rows) < share] = np.nan
    return numbers(columns)


def all_of(columns: list[Numbers]) -> tuple[Array, Array]:
    a, b = np.triu_indices(len(columns), 1)
    return a, b


@pytest.mark.parametrize(("ours", "theirs"), [(pearson, stats.pearsonr), (spearman, stats.spearmanr)])
def test_they_are_those_of_scipy(ours, theirs) -> None:  # type: ignore[no-untyped-def]
    columns = mixed()
    a, b = all_of(columns)
    found = ours(columns, a, b, never)
    assert found.own_ranks.all()
    for i, j, n, r in zip(a, b, found.n, found.r, strict=True):
        x, y = columns[i].values, columns[j].values
        both = ~np.isnan(x) & ~np.isnan(y)
        assert n == both.sum()
        # scipy loses all digits of numbers of 1e-200, whose squares are 0.
        scale = [
            1e200 if columns[k].told.name == "tiny" else 1e-200 if columns[k].told.name == "huge" else 1 for k in (i, j)
        ]
        assert r == pytest.approx(theirs(x[both] * scale[0], y[both] * scale[1]).statistic, abs=1e-9)


def test_few_pairs_of_many_columns_give_the_same() -> None:
    columns = mixed()
    a, b = all_of(columns)
    stretches = [centred(column.values) for column in columns]
    dense, listed = all_pairs(stretches, never), listed_pairs(stretches, a, b, never, budget=2**14)
    assert np.array_equal(dense.n[a, b], listed.n)
    assert listed.correlation() == pytest.approx(dense.correlation()[a, b], abs=1e-12)


def test_symmetry() -> None:
    columns = mixed()
    a, b = all_of(columns)
    for measure in (pearson, spearman):
        assert measure(columns, a, b, never).r == pytest.approx(measure(columns, b, a, never).r, abs=1e-14)


def test_pearson_does_not_depend_on_units_nor_spearman_on_a_monotone_scale() -> None:
    columns = mixed()[:4]
    a, b = all_of(columns)
    other = numbers({column.told.name: -3.7 * column.values + 11 for column in columns})
    assert pearson(other, a, b, never).r == pytest.approx(pearson(columns, a, b, never).r, abs=1e-9)
    bent = numbers({column.told.name: np.arctan(np.cbrt(column.values)) for column in mixed()[:3]})
    first = all_of(bent)
    assert spearman(bent, *first, never).r == pytest.approx(spearman(columns[:3], *first, never).r, abs=1e-12)


def test_what_is_constant_where_both_have_values_has_no_correlation() -> None:
    chance = np.random.default_rng(1)
    rising = np.arange(100.0)
    same = np.where(rising < 60, 1e6 + 0.1, np.nan)
    same[80:] = chance.normal(size=20)  # varies only where the other is null
    other = np.where(rising < 60, chance.normal(size=100), np.nan)
    columns = numbers({"same": same, "other": other})
    for measure in (pearson, spearman):
        found = measure(columns, np.array([0]), np.array([1]), never)
        assert found.n[0] == 60
        assert np.isnan(found.r[0])


def test_a_mean_far_from_zero_costs_no_digits() -> None:
    chance = np.random.default_rng(2)
    x = chance.normal(size=50_000)
    y = x + chance.normal(size=50_000)
    exact = stats.pearsonr(x, y).statistic
    columns = numbers({"x": x + 2.0**40, "y": y - 2.0**40})
    rounded = stats.pearsonr(columns[0].values - 2.0**40, columns[1].values + 2.0**40).statistic
    assert pearson(columns, np.array([0]), np.array([1]), never).r[0] == pytest.approx(rounded, abs=1e-12)
    assert rounded == pytest.approx(exact, abs=1e-6)


def test_a_variance_that_an_outlier_hides_is_found_where_both_have_values() -> None:
    """The provisional mean and the sums are far from the 50 rows that count."""
    chance = np.random.default_rng(3)
    x = np.concatenate([1 + 1e-7 * chance.normal(size=50), [1e9] * 50])
    y = np.concatenate([x[:50] + 1e-7 * chance.normal(size=50), [np.nan] * 50])
    columns = numbers({"x": x, "y": y})
    found = pearson(columns, np.array([0]), np.array([1]), never)
    assert found.r[0] == pytest.approx(stats.pearsonr(x[:50], y[:50]).statistic, abs=1e-7)


def test_ranks_of_whole_columns_stand_in_for_a_pairs_own_where_little_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = mixed()
    a, b = all_of(columns)
    exact = spearman(columns, a, b, never)
    monkeypatch.setattr(numeric_pairs, "RERANKED_CELLS", 0)
    quick = spearman(columns, a, b, never)
    names = [columns[i].told.name for i in range(len(columns))]
    for place, (i, j) in enumerate(zip(a, b, strict=True)):
        loses_much = {"long tail", "mostly null"} & {names[i], names[j]}
        assert quick.own_ranks[place] == bool(loses_much or {names[i], names[j]} == {"normal", "far away"})
        assert quick.r[place] == pytest.approx(exact.r[place], abs=1e-9 if loses_much else 1e-4)
    assert not np.array_equal(quick.r, exact.r)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (lambda x: x, Relation.IDENTICAL),
        (lambda x: 5 - 3 * x, Relation.LINEAR),
        (np.exp, Relation.MONOTONE),
        (lambda x: -(x**3), Relation.MONOTONE),
        (np.square, None),
        (lambda x: x + 1e-6 * np.random.default_rng(0).normal(size=len(x)), None),
    ],
)
def test_relations(of, expected: Relation | None) -> None:  # type: ignore[no-untyped-def]
    x = np.round(np.random.default_rng(7).normal(size=500), 2)
    y = of(x)
    x[:20], y[-20:] = np.nan, np.nan
    columns = numbers({"x": x, "y": y})
    assert relation(columns[0], columns[1]) is expected


def test_rounding_that_merges_values_is_not_monotone_both_ways() -> None:
    x = np.random.default_rng(7).normal(size=500)
    columns = numbers({"x": x, "y": np.round(x)})
    assert relation(columns[0], columns[1]) is None


def test_whole_numbers_that_a_float_rounds_are_not_called_identical() -> None:
    large = 2**60 + 512 * np.random.default_rng(7).integers(0, 2**49, 500)
    columns = numbers({"x": large, "y": large + 1, "z": large.copy()})
    assert np.array_equal(columns[0].values, columns[1].values)
    assert relation(columns[0], columns[1]) is Relation.LINEAR
    assert relation(columns[0], columns[2]) is Relation.IDENTICAL


def test_long_tails_widen_the_interval_and_normal_ones_hardly() -> None:
    chance = np.random.default_rng(4)
    shared = chance.normal(size=(2, 5_000))
    second = 0.8 * shared[0] + 0.6 * shared[1]
    columns = numbers({"a": shared[0], "b": second, "c": np.exp(shared[0]), "d": np.exp(second)})
    rows = np.arange(5_000)
    normal, long = numeric_pairs.spread_of_pearson(columns, np.array([0, 2]), np.array([1, 3]), rows, never)
    assert 1 <= normal < 1.1
    assert long > 2
