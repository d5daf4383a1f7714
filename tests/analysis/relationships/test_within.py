"""What holds within one dataset: dependencies, keys, duplicates, formulas; and nothing of it in noise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frames import frame_of
from analysis.relationships.counting import majority_rows
from analysis.relationships.dependencies import Counted, is_by_chance
from analysis.relationships.discover import discover
from analysis.relationships.findings import Basis, RelationshipOptions, Relationships, Standing


def found_in(columns: Mapping[str, Any], total: int | None = None, **options: Any) -> Relationships:
    return discover({"t": frame_of(columns, total)}, RelationshipOptions(**options), lambda *_: None, lambda: None)


def noise(seed: int, rows: int) -> dict[str, Any]:
    """Columns that have nothing to do with each other, of all sorts of shapes."""
    random = np.random.default_rng(seed)
    few = np.array([f"level {number}" for number in range(8)], dtype=object)
    names = np.array([f"name {number}" for number in range(rows // 3)], dtype=object)
    return {
        "flag": random.integers(0, 2, rows),
        "rare": (random.uniform(size=rows) < 0.02).astype(int),
        "level": few[random.choice(8, rows, p=np.array([0.6, 0.2, 0.1, 0.05, 0.02, 0.01, 0.01, 0.01]))],
        "name": names[random.integers(0, len(names), rows)],
        "day": np.datetime64("2024-01-01") + random.integers(0, 300, rows),
        "count": random.poisson(3, rows),
        "price": np.round(random.lognormal(3, 1, rows), 2),
        "measure": random.normal(size=rows),
        "number": random.integers(0, rows, rows),
    }


@pytest.mark.parametrize("seed", range(25))
def test_noise_has_no_relationships(seed: int) -> None:
    found = found_in(noise(seed, 400 + 100 * seed))
    assert found.dependencies == (), seed
    assert found.derived == (), seed
    assert found.duplicate_columns == (), seed
    assert [one for one in found.duplicate_rows if one.standing is Standing.LIKELY] == [], seed
    assert [one.columns for one in found.unique if one.standing is Standing.LIKELY] == [], seed
    assert found.foreign_keys == ()


def towns(seed: int, wrong: int, rows: int = 2000) -> dict[str, Any]:
    random = np.random.default_rng(1000 + seed)
    zips = random.integers(0, 150, rows)
    town = zips // 4
    town[:wrong] = 99
    return {**noise(seed, rows), "zip": 10_000 + 7 * zips, "town": [f"town {number}" for number in town]}


@pytest.mark.parametrize("wrong", [0, 5, 19])
def test_a_dependency_with_few_violations_is_found(wrong: int) -> None:
    (found,) = found_in(towns(1, wrong)).dependencies
    assert (found.determinant, found.dependent, found.both_ways) == ("zip", "town", False)
    assert (found.violations, found.n, found.of, found.basis) == (wrong, 2000, 2000, Basis.EXACT)
    assert found.error == wrong / 2000
    assert found.support == 2000
    assert found.expected_violations > 1600


def test_a_dependency_with_many_violations_is_none() -> None:
    assert found_in(towns(1, 30)).dependencies == ()


def test_an_association_is_no_dependency() -> None:
    """The flag is rare, so that few rows fail to follow the level; but it is not the level that tells it."""
    level = np.repeat(np.arange(8), 500)
    flag = np.zeros(4000, dtype=int)
    flag[:18] = flag[1000:1006] = flag[2000:2004] = 1
    assert found_in({"level": np.where(np.arange(4000) < 25, 9, level), "flag": flag}).dependencies == ()


def test_the_more_pairs_are_tested_the_less_a_missing_violation_says() -> None:
    """Without any of 6 due violations: one chance in 400, which among a thousand pairs is nothing special."""
    counted = Counted(n=100, violations=0, expected=6.0, support=80, groups=20)
    assert not is_by_chance(counted, tests=1)
    assert is_by_chance(counted, tests=1000)


@pytest.mark.parametrize("seed", range(2))
def test_many_small_columns_have_no_dependencies_by_chance(seed: int) -> None:
    """Of hundreds of pairs some have no violation where a handful would be due."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"c{number}": random.integers(0, 25, 60) for number in range(15)}
    columns |= {f"f{number}": (random.uniform(size=60) < 0.08).astype(int) for number in range(15)}
    assert found_in(columns).dependencies == (), seed


def test_two_names_of_the_same_things_are_one_finding() -> None:
    codes = np.random.default_rng(2).integers(0, 40, 1000)
    (found,) = found_in({"code": codes, "label": [f"label {code}" for code in codes]}).dependencies
    assert found.both_ways


def test_nulls_are_left_out_and_told() -> None:
    columns = towns(3, 0)
    columns["town"] = [None if row % 4 == 0 else town for row, town in enumerate(columns["town"])]
    (found,) = found_in(columns).dependencies
    assert (found.n, found.of) == (1500, 2000)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_the_error_is_the_least_share_of_rows_to_take_away(rows: list[tuple[int, int]]) -> None:
    left, right = (np.array(side) for side in zip(*rows, strict=True))
    expected = sum(max(rows.count((a, b)) for b in range(5)) for a in set(left.tolist()))
    assert majority_rows(left, right, 5, 5) == expected
    assert majority_rows(left, right, 5, 5000) == expected, "counted by sorting instead of in a table"


def test_large_data_are_tried_on_some_rows_first() -> None:
    """The same answer as without."""
    found = found_in(towns(4, 1100, 120_000)).dependencies
    assert [(one.determinant, one.dependent, one.violations) for one in found] == [("zip", "town", 1100)]


def test_keys_of_one_and_of_two_columns() -> None:
    random = np.random.default_rng(5)
    order = np.repeat(np.arange(500), 6)
    line = np.tile(np.arange(6), 500)
    shuffle = random.permutation(3000)
    columns = {
        "order": order[shuffle],
        "line": line[shuffle],
        "id": random.permutation(3000),
        "x": random.normal(size=3000),
    }
    found = [(one.columns, one.standing) for one in found_in(columns).unique]
    assert found == [(("id",), Standing.LIKELY), (("order", "line"), Standing.LIKELY), (("x",), Standing.POSSIBLE)]


def test_one_repeat_is_enough() -> None:
    order, line = np.repeat(np.arange(500), 6), np.tile(np.arange(6), 500)
    line[-1] = 0
    assert found_in({"order": order, "line": line}).unique == ()


def test_a_pair_that_is_unique_by_chance_is_only_possible() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        found = found_in({"count": random.poisson(3, 124), "day": random.integers(0, 365, 124)}).unique
        assert {one.standing for one in found} <= {Standing.POSSIBLE}
    for _ in range(30):
        found = found_in({"a": random.integers(0, 60, 100), "b": random.integers(0, 60, 100)}).unique
        assert {one.standing for one in found} <= {Standing.POSSIBLE}


def test_a_few_large_numbers_are_different_without_being_a_key() -> None:
    columns = {"revenue": np.random.default_rng(1).permutation(10_000_000)[:100]}
    (found,) = found_in(columns).unique
    assert found.standing is Standing.POSSIBLE
    (found,) = found_in({"account_no": columns["revenue"]}).unique
    assert found.standing is Standing.LIKELY


def test_a_sample_is_told_as_one() -> None:
    found = found_in({"id": np.arange(100), "x": np.arange(100) % 7}, 5000)
    assert {one.basis for one in found.unique} == {Basis.SAMPLE}
    assert found.datasets[0].sampled
    assert (found.datasets[0].rows, found.datasets[0].total_rows) == (100, 5000)


def test_rows_that_are_there_twice() -> None:
    columns = noise(8, 600)
    doubled = {name: np.concatenate((values, values[:20], values[:1])) for name, values in columns.items()}
    (found,) = found_in(doubled).duplicate_rows
    assert (found.groups, found.repeated, found.largest, found.standing) == (20, 21, 3, Standing.LIKELY)
    assert found.examples[0] == (0, 600, 620)
    assert found.besides == ()
    assert found.expected_repeats < 0.1


def test_rows_that_are_equal_but_for_their_number() -> None:
    columns = noise(8, 600)
    doubled = {name: np.concatenate((values, values[:20])) for name, values in columns.items()}
    (found,) = found_in({"id": np.arange(620), **doubled}).duplicate_rows
    assert (found.besides, found.repeated) == (("id",), 20)


def test_equal_rows_of_few_values_need_be_no_duplicates() -> None:
    random = np.random.default_rng(9)
    (found,) = found_in({"a": random.integers(0, 5, 300), "b": random.integers(0, 5, 300)}).duplicate_rows
    assert found.standing is Standing.POSSIBLE
    assert found.equal_pairs == pytest.approx(found.expected_repeats, rel=0.3)


def test_columns_that_are_there_twice() -> None:
    columns = noise(10, 300)
    holes = [None if row % 5 == 0 else row % 11 for row in range(300)]
    nearly = columns["measure"].copy()
    nearly[7] += 1e-9
    found = found_in(
        {**columns, "again": columns["price"], "a": holes, "b": list(holes), "c": [*holes[1:], 1], "nearly": nearly}
    )
    assert [one.columns for one in found.duplicate_columns] == [("price", "again"), ("a", "b")]


def business(seed: int, rows: int = 1500) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    price, quantity = np.round(random.uniform(1, 90, rows), 2), random.integers(1, 20, rows)
    net = np.round(price * quantity, 2)
    tax = np.round(net * 0.19, 2)
    celsius = np.round(random.normal(15, 8, rows), 1)
    return {
        "price": price,
        "quantity": quantity,
        "net": net,
        "tax": tax,
        "gross": np.round(net + tax, 2),
        "celsius": celsius,
        "fahrenheit": celsius * 1.8 + 32,
        "noise": random.normal(size=rows),
        "count": random.poisson(2, rows),
    }


@pytest.mark.parametrize("seed", range(5))
def test_formulas_are_found(seed: int) -> None:
    found = {one.formula: one for one in found_in(business(seed)).derived}
    assert {"net = price * quantity", "gross = net + tax", "tax = 0.19 * net"} <= set(found)
    assert {"fahrenheit = 1.8 * celsius + 32", "celsius = 0.5555555556 * fahrenheit - 17.77777778"} & set(found)
    for one in found.values():
        assert one.share == 1.0
        assert one.share_by_chance < 0.05
    names = {frozenset((one.column, *one.sources)) for one in found.values()}
    alike = frozenset({"net", "tax", "gross"})
    assert all(name <= alike or name in ({"price", "quantity", "net"}, {"celsius", "fahrenheit"}) for name in names)


def test_a_formula_that_some_rows_break() -> None:
    columns = business(1)
    columns["gross"][:30] += 1
    found = {one.formula: one for one in found_in(columns).derived}
    one = found["gross = net + tax"]
    assert (one.n - one.holds, one.n, one.share) == (30, 1500, 1 - 30 / 1500)
    columns["gross"][:200] += 1
    assert "gross = net + tax" not in {one.formula for one in found_in(columns).derived}


def test_columns_that_are_almost_constant_make_no_formulas() -> None:
    random = np.random.default_rng(4)
    most = {"two": 2, "three": 3, "five": 5}
    columns = {name: np.where(random.uniform(size=3000) < 0.005, 9, value) for name, value in most.items()}
    assert found_in(columns).derived == ()


def test_adding_nothing_is_no_sum() -> None:
    """a is b but for the rows in which c has something."""
    random = np.random.default_rng(3)
    b = np.round(random.uniform(0, 100, 2000), 2)
    c = np.where(random.uniform(size=2000) < 0.03, np.round(random.uniform(1, 9, 2000), 2), 0)
    a = np.where(c > 0, np.round(random.uniform(0, 100, 2000), 2), b)
    assert {one.formula for one in found_in({"a": a, "b": b, "c": c}).derived} <= {"a = b", "b = a"}


@pytest.mark.parametrize("seed", range(10))
def test_small_numbers_make_no_formulas(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = {f"c{number}": random.integers(0, 3, 500) for number in range(8)}
    columns["zero"] = (random.uniform(size=500) < 0.01).astype(int)
    assert found_in(columns).derived == ()
