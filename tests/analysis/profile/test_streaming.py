"""Batches and merges: the same answers in any order while exact, and within the stated error beyond."""

import math
import pickle
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.columns import Array, Column, ColumnError, Kind, column_of
from analysis.profile.accumulator import ColumnAccumulator, TableAccumulator, profile_column, profile_table
from analysis.profile.distinct_sketch import DistinctSketch, hashes_of_decimals, hashes_of_numbers, hashes_of_texts
from analysis.profile.figures import ColumnProfile, Sketch
from analysis.profile.frequent_sketch import FrequentNumbers, FrequentTexts
from analysis.profile.moments import combined, moments_of
from analysis.profile.quantile_sketch import QuantileSketch
from analysis.profile.ranked import ranked

SMALL_BUDGET = 64 * 1024

whatever = st.one_of(
    st.tuples(st.just(Kind.INTEGER), st.lists(st.one_of(st.none(), st.integers(-3, 3), st.integers()), max_size=40)),
    st.tuples(st.just(Kind.FLOAT), st.lists(st.one_of(st.none(), st.floats()), max_size=40)),
    st.tuples(st.just(Kind.DECIMAL), st.lists(st.one_of(st.none(), st.decimals(-1000, 1000, places=2)), max_size=40)),
    st.tuples(st.just(Kind.BOOLEAN), st.lists(st.one_of(st.none(), st.booleans()), max_size=40)),
    st.tuples(st.just(Kind.TEXT), st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=40)),
    st.tuples(st.just(Kind.BINARY), st.lists(st.one_of(st.none(), st.binary(max_size=8)), max_size=40)),
    st.tuples(st.just(Kind.TIMESTAMP), st.lists(st.one_of(st.none(), st.datetimes()), max_size=40)),
    st.tuples(st.just(Kind.DATE), st.lists(st.one_of(st.none(), st.dates()), max_size=40)),
    st.tuples(
        st.just(Kind.JSON),
        st.lists(st.one_of(st.none(), st.dictionaries(st.sampled_from("ab"), st.integers()), st.text()), max_size=40),
    ),
)


def without_order(profile: ColumnProfile) -> Any:
    """The profile as data, without what depends on the order of the rows."""
    data = msgspec.to_builtins(profile)
    for section in ("numbers", "times"):
        if data[section]:
            data[section]["order"] = None
    data["identifier"] = None
    return data


def accumulated(name: str, kind: Kind, batches: list[list[Any]], budget: int | None = None) -> ColumnAccumulator:
    accumulator = ColumnAccumulator(name, kind, budget)
    for batch in batches:
        accumulator.add(column_of(name, batch, kind))
    return accumulator


@given(whatever, st.integers(1, 10), st.randoms(use_true_random=False))
def test_merging_in_any_order_gives_the_profile_of_the_whole(
    case: tuple[Kind, list[Any]], size: int, chance: random.Random
) -> None:
    kind, rows = case
    parts = [
        accumulated("c", kind, [rows[start : start + size]], budget=2**20) for start in range(0, len(rows), size)
    ] or [ColumnAccumulator("c", kind)]
    chance.shuffle(parts)
    while len(parts) > 1:
        one = parts.pop(chance.randrange(len(parts)))
        parts[0].merge(pickle.loads(pickle.dumps(one)))  # parts come back from worker processes
    assert without_order(parts[0].profile()) == without_order(profile_column(column_of("c", rows, kind)))


def test_batches_in_order_give_the_order_of_the_whole() -> None:
    rows = list(range(100))
    batches = [rows[:30], [], rows[30:]]
    assert accumulated("c", Kind.INTEGER, batches).profile() == profile_column(column_of("c", rows))


def sketch(profile: ColumnProfile, figure: str) -> Sketch:
    basis = profile.basis[figure]
    assert isinstance(basis, Sketch)
    return basis


SETS: dict[str, Callable[[np.random.Generator], Array]] = {
    "normal": lambda chance: chance.normal(size=200_000),
    "rounded": lambda chance: np.round(chance.lognormal(3, 2, size=200_000), 1),
    "integers": lambda chance: chance.integers(-(2**62), 2**62, size=200_000),
    "heavy": lambda chance: np.where(chance.random(200_000) < 0.3, 7, chance.integers(0, 10**12, 200_000)),
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("workers", [1, 3])
def test_sketches_are_as_near_as_they_say(name: str, workers: int) -> None:
    seed = 11
    print(f"seed {seed}")
    values: Array = SETS[name](np.random.default_rng(seed))
    parts = [ColumnAccumulator("c", column_of("c", values).kind, SMALL_BUDGET, seed=n) for n in range(workers)]
    for turn, start in enumerate(range(0, len(values), 7_000)):
        parts[turn % workers].add(column_of("c", values[start : start + 7_000]))
    for part in parts[1:]:
        parts[0].merge(part)
    profile, exact = parts[0].profile(), profile_column(column_of("c", values))
    assert profile.numbers is not None
    assert exact.numbers is not None
    for figure in ("min", "max", "sum", "zeros", "negatives"):
        assert float(getattr(profile.numbers, figure)) == pytest.approx(float(getattr(exact.numbers, figure)), rel=1e-9)
        assert profile.basis[figure] == "exact"
    for figure in ("mean", "std", "skewness", "kurtosis"):
        assert getattr(profile.numbers, figure) == pytest.approx(getattr(exact.numbers, figure), rel=1e-6, abs=1e-9)
    if profile.basis["distinct"] == "exact":  # few enough for the sketch to know them all
        assert profile.distinct == exact.distinct < 65_536
    else:
        assert profile.distinct == pytest.approx(exact.distinct, rel=sketch(profile, "distinct").error)
    ordered, error = np.sort(values), sketch(profile, "quantiles").error
    assert 0 < error < 0.001
    for quantile in profile.numbers.quantiles:
        low = np.searchsorted(ordered, np.array(quantile.value, dtype=values.dtype), "left") / len(values)
        high = np.searchsorted(ordered, np.array(quantile.value, dtype=values.dtype), "right") / len(values)
        assert low - error <= quantile.p <= high + error
    counts, missed = Counter(values.tolist()), sketch(profile, "top").error
    assert missed <= len(values) / 1000
    for top in profile.top:
        value = int(top.value) if isinstance(top.value, str) else top.value
        assert top.count <= counts[value] <= top.count + missed
    if name == "heavy":
        assert profile.top[0].value == 7
        assert (profile.unique, profile.basis["unique"]) == (False, "exact")
    elif name == "integers":
        # As many as the rows, as far as anybody can tell; and that is as sure as their number.
        assert (profile.unique, profile.basis["unique"]) == (None, profile.basis["distinct"])


def test_few_different_values_stay_exact_however_many_rows() -> None:
    values = np.random.default_rng(1).integers(0, 100, size=300_000)
    accumulator = ColumnAccumulator("c", Kind.INTEGER, SMALL_BUDGET)
    for start in range(0, len(values), 1000):
        accumulator.add(column_of("c", values[start : start + 1000]))
    assert accumulator.profile() == profile_column(column_of("c", values))


def test_parts_that_counted_their_values_merge_without_loss() -> None:
    """Each part is over its budget, counted its equal values, and has kept the counts."""
    values = np.random.default_rng(2).integers(0, 100, size=100_000)
    parts = [ColumnAccumulator("c", Kind.INTEGER, SMALL_BUDGET) for _ in range(3)]
    for place, part in enumerate(parts):
        for batch in np.array_split(values[place::3], 10):
            part.add(column_of("c", batch))
    parts[1].merge(parts[2])
    parts[0].merge(parts[1])
    assert without_order(parts[0].profile()) == without_order(profile_column(column_of("c", values)))


def test_text_beyond_the_budget_is_sketched_and_its_sums_stay_exact() -> None:
    chance = random.Random(5)
    values = [
        "common" if chance.random() < 0.2 else f"{chance.randrange(10**9):09d}@example.org" for _ in range(90_000)
    ]
    parts = [
        accumulated("c", Kind.TEXT, [values[:20_000], values[20_000:50_000]], SMALL_BUDGET),
        accumulated("c", Kind.TEXT, [values[50_000:]], SMALL_BUDGET),
    ]
    parts[0].merge(parts[1])
    profile, exact = parts[0].profile(), profile_column(column_of("c", values))
    assert profile.text is not None
    assert exact.text is not None
    assert profile.distinct == pytest.approx(exact.distinct, rel=sketch(profile, "distinct").error)
    assert profile.top[0].value == "common"
    assert profile.top[0].count <= exact.top[0].count <= profile.top[0].count + sketch(profile, "top").error
    assert profile.text == exact.text
    assert profile.unique is False


def test_decimals_that_turn_out_finer_keep_their_values() -> None:
    coarse = [Decimal(n) / 2 for n in range(6000)]
    fine = [Decimal(n) / 8 for n in range(6000)]
    exact = profile_column(column_of("c", coarse + fine))
    whole = accumulated("c", Kind.DECIMAL, [coarse, fine])
    assert without_order(whole.profile()) == without_order(exact)
    small = accumulated("c", Kind.DECIMAL, [coarse, fine, coarse], budget=8 * 1024).profile()
    assert small.numbers is not None
    assert exact.numbers is not None
    assert (small.distinct, small.numbers.max) == (exact.distinct, exact.numbers.max)
    assert Decimal(str(small.numbers.sum)) == sum(coarse + fine + coarse)


def test_huge_integers_beyond_the_budget() -> None:
    values = [10**30 + n for n in range(3000)] + list(range(3000))
    profile = accumulated("c", Kind.INTEGER, [values, values], budget=8 * 1024).profile()
    assert profile.distinct == 6000
    assert profile.numbers is not None
    assert (profile.numbers.max, profile.numbers.sum) == (str(10**30 + 2999), str(2 * sum(values)))


def test_ranks_of_the_quantile_sketch_stay_within_its_error() -> None:
    """Over many seeds: the bound is for 99 %, and holds by far."""
    values = np.arange(60_000.0)
    shares, wrong = [0.01, 0.25, 0.5, 0.9, 0.999], 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        kept = QuantileSketch(seed, level_size=256)
        for part in np.array_split(chance.permutation(values), 50):
            part.sort()
            kept.add(ranked(part))
        of = kept.ranked()
        assert of.total == len(values)
        error = kept.error(len(shares))
        assert error < 0.05
        found = [of.values[np.searchsorted(np.cumsum(of.weights), share * of.total)] for share in shares]
        wrong += any(abs(value / len(values) - share) > error for value, share in zip(found, shares, strict=True))
    assert wrong == 0


def test_the_distinct_sketch_is_exact_below_its_size_and_the_same_in_any_order() -> None:
    one, other = DistinctSketch(kept=512), DistinctSketch(kept=512)
    for number in range(500):
        one.add(hashes_of_numbers(np.array([number % 300, number % 7])))
    assert (one.count(), one.relative_error()) == (300, 0.0)
    hashes = hashes_of_numbers(np.arange(100_000))
    one, halves = DistinctSketch(kept=512), [DistinctSketch(kept=512), DistinctSketch(kept=512)]
    one.add(hashes)
    halves[0].add(hashes[:60_000])
    halves[1].add(hashes[40_000:])
    halves[1].merge(halves[0])
    assert halves[1].count() == one.count() == pytest.approx(100_000, rel=one.relative_error())
    other.merge(one)
    assert other.count() == one.count()


def test_equal_values_hash_equally() -> None:
    assert hashes_of_numbers(np.array([0.0])) == hashes_of_numbers(np.array([-0.0]))
    assert hashes_of_numbers(np.array([5, 2**70], dtype=object))[0] == hashes_of_numbers(np.array([5]))[0]
    assert hashes_of_decimals(np.array([15]), 1) == hashes_of_decimals(np.array([1500]), 3)
    assert hashes_of_decimals(np.array([15]), 1) != hashes_of_decimals(np.array([15]), 2)
    assert hashes_of_decimals(np.array([0]), 1) == hashes_of_decimals(np.array([0]), 3)
    assert hashes_of_texts(["a", "b"])[0] == hashes_of_texts(["a"])[0]


@given(st.lists(st.lists(st.integers(0, 30), max_size=50), max_size=8))
def test_frequent_counts_are_never_too_high_and_never_too_low_by_more_than_said(batches: list[list[int]]) -> None:
    numbers, texts = FrequentNumbers(counters=5), FrequentTexts[str](counters=5)
    for batch in batches:
        numbers.add(ranked(np.sort(np.array(batch, dtype=np.int64))))
        texts.add(Counter(map(str, batch)))
    true = Counter(value for batch in batches for value in batch)
    assert numbers.error == texts.error <= true.total() / 6
    for value, count in numbers.surest(30):
        assert count <= true[value] <= count + numbers.error
    told = {value for value, _ in numbers.surest(30)}
    assert told == {int(value) for value, _ in texts.surest(30)}
    least = min((count for _, count in numbers.surest(30)), default=math.inf)
    assert all(count <= max(numbers.error, least + numbers.error) for value, count in true.items() if value not in told)


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=40), st.integers(0, 40))
def test_moments_of_two_parts_are_those_of_the_whole(values: list[float], cut: int) -> None:
    whole = moments_of(ranked(np.sort(values)))
    parts = [moments_of(ranked(np.sort(np.array(part, dtype=float)))) for part in (values[:cut], values[cut:])]
    together = combined(*parts)
    for field in ("count", "total", "mean", "m2", "m3", "m4"):
        assert getattr(together, field) == pytest.approx(getattr(whole, field), rel=1e-6, abs=1e-3)


def columns(**values: list[Any]) -> list[Column]:
    return [column_of(name, rows) for name, rows in values.items()]


def test_a_table_in_batches_and_at_once() -> None:
    batch = columns(id=[1, 2, 3], name=["a", "b", None], kind=["x", "x", "x"])
    table = TableAccumulator()
    table.add(batch)
    other = TableAccumulator()
    other.add(columns(id=[4, 5], name=["c", "d"], kind=["x", "x"]))
    table.merge(other)
    profile = table.profile()
    whole = columns(id=[1, 2, 3, 4, 5], name=["a", "b", None, "c", "d"], kind=["x"] * 5)
    assert profile == profile_table(iter(whole)) == profile_table(whole, threads=2)
    assert profile.rows == 5
    assert profile.completeness == pytest.approx(14 / 15)
    assert (profile.candidate_keys, profile.constant_columns) == (["id"], ["kind"])
    assert profile.identifiers == ["id"]
    assert profile.columns[0].identifier == "unique, never null, whole numbers that rise or fall with the rows"


def test_an_empty_table_has_a_profile() -> None:
    assert TableAccumulator().profile().rows == 0
    assert profile_table([]).completeness == 1.0
    profile = profile_table([column_of("a", [], Kind.INTEGER), column_of("b", [], Kind.TEXT)])
    assert [(column.unique, column.constant, column.distinct) for column in profile.columns] == [(False, False, 0)] * 2


def test_columns_that_do_not_go_together_are_refused() -> None:
    table = TableAccumulator()
    with pytest.raises(ColumnError, match=r"different numbers of rows: \[1, 2\]"):
        table.add(columns(a=[1], b=[1, 2]))
    table.add(columns(a=[1], b=[2]))
    with pytest.raises(ColumnError, match=r"has the columns \['a', 'b'\], and a batch of it \['a', 'c'\]"):
        table.add(columns(a=[1], c=[2]))
    with pytest.raises(ColumnError, match="holds integer, and a batch of it came as text"):
        table.add(columns(a=["x"], b=[2]))
    with pytest.raises(ColumnError, match="cannot take in column 'd'"):
        ColumnAccumulator("c", Kind.INTEGER).merge(ColumnAccumulator("d", Kind.INTEGER))
    with pytest.raises(ColumnError, match="different numbers of rows"):
        profile_table(columns(a=[1], b=[1, 2]))
