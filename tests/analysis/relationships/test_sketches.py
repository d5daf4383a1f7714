"""Sketches of columns: containment within the promised bounds, and a form that can be stored."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frames import frame_of
from analysis.proportions import wilson
from analysis.relationships.coding import sketches_of
from analysis.relationships.discover import discover
from analysis.relationships.findings import Basis, PartStatus, RelationshipOptions, Relationships, Standing
from analysis.relationships.sketches import KEPT, ColumnSketch, containment


def sketch(values: object, dataset: str = "a", name: str = "key", total: int | None = None) -> ColumnSketch:
    (made,) = sketches_of(dataset, frame_of({name: values}, total))  # type: ignore[dict-item]
    return made


def joined(*sketches: ColumnSketch) -> Relationships:
    options = RelationshipOptions(sketches=sketches)
    return discover({}, options, lambda share, what: None, lambda: None)


@given(st.sets(st.integers(-(2**40), 2**40), min_size=1), st.sets(st.integers(-(2**40), 2**40), min_size=1))
def test_small_columns_are_compared_exactly(left: set[int], right: set[int]) -> None:
    found = containment(sketch(sorted(left)), sketch(sorted(right)))
    assert found.exact
    assert found.share == found.low == found.high == len(left & right) / len(left)


def test_the_bounds_cover_as_often_as_they_promise() -> None:
    covered, widths = 0, []
    for seed in range(200):
        random = np.random.default_rng(seed)
        left = random.choice(10**9, 5000, replace=False)
        share = random.uniform(0, 1)
        right = np.concatenate((left[: int(share * 5000)], 10**9 + random.choice(10**9, 5000, replace=False)))
        found = containment(sketch(left), sketch(right))
        covered += found.low <= int(share * 5000) / 5000 <= found.high
        widths.append(found.high - found.low)
        assert not found.exact
    assert covered >= 183, "95 % of 200 are 190; fewer than 183 would be one chance in a hundred"
    assert np.mean(widths) < 0.15


def test_a_sketch_is_stored_and_read_back() -> None:
    before = sketch([f"value {number}" for number in range(10_000)])
    stored = msgspec.json.encode(before)
    assert msgspec.json.decode(stored, type=ColumnSketch) == before
    assert len(stored) < 8 * KEPT * 4 / 3 + 300
    assert (before.distinct, before.complete, before.unique) == (10_000, False, True)


def test_sketches_of_one_set_are_equal_whatever_the_order_and_the_repeats() -> None:
    values = np.arange(0, 90_000, 13)
    shuffled = np.random.default_rng(1).permutation(np.repeat(values, 3))
    assert sketch(values).least == sketch(shuffled).least


def test_columns_of_datasets_that_are_not_at_hand_are_joined() -> None:
    skus = [f"S{number:06d}" for number in range(0, 90_000, 30)]
    found = joined(sketch(skus, "stock", "sku"), sketch(skus[::2] * 3, "sales", "article"), sketch([1, 2, 3], "other"))
    (join,) = found.joinable
    assert (join.left.column, join.right.column, join.right_unique) == ("article", "sku", True)
    assert (join.basis, join.standing) == (Basis.SKETCH, Standing.LIKELY)
    assert join.low <= 1.0 == join.high
    assert join.low > 0.98


def test_part_of_the_values_is_told_with_its_bounds() -> None:
    random = np.random.default_rng(2)
    left = random.choice(10**9, 3000, replace=False)
    right = np.concatenate((left[:2400], 10**9 + random.choice(10**9, 600, replace=False)))
    (join,) = joined(sketch(left, "a", "number"), sketch(right, "b", "number")).joinable
    assert join.low <= 0.8 <= join.high
    assert join.low < join.containment < join.high


def test_months_and_ages_of_two_datasets_are_no_likely_join() -> None:
    random = np.random.default_rng(3)
    ages = [sketch(random.integers(18, 90, 900), dataset, "age") for dataset in ("a", "b")]
    months = [sketch(random.integers(1, 13, 900), dataset, "month") for dataset in ("a", "b")]
    assert {join.standing for join in joined(*ages, *months).joinable} <= {Standing.POSSIBLE}


def test_a_frame_of_the_same_name_replaces_its_sketch() -> None:
    options = RelationshipOptions(sketches=(sketch([f"k{n}" for n in range(90)], "a"),))
    found = discover({"a": frame_of({"key": [f"k{n}" for n in range(90)]})}, options, lambda *_: None, lambda: None)
    assert found.joinable == ()
    assert found.parts["joinable"].status is PartStatus.NOTHING_TO_TEST


def test_thousands_of_columns_take_time_by_the_column() -> None:
    """5,000 columns are 12 million pairs, of which only those that share values are looked at."""
    random = np.random.default_rng(7)
    sketches = [sketch(random.choice(10**12, 40, replace=False), f"d{number}", "k") for number in range(4998)]
    shared = random.choice(10**12, 40, replace=False)
    found = joined(*sketches, sketch(shared, "x", "k"), sketch(shared, "y", "k"))
    assert {found.joinable[0].left.dataset, found.joinable[0].right.dataset} == {"x", "y"}
    assert found.parts["joinable"].tested < 100


@pytest.mark.parametrize(("hits", "tries"), [(0, 0), (0, 10), (10, 10), (3, 10), (1, 10**6)])
def test_bounds_of_a_share(hits: int, tries: int) -> None:
    low, high = wilson(hits, tries)
    assert 0 <= low <= (hits / tries if tries else 0.5) <= high <= 1
