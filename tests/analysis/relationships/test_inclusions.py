"""Foreign keys that nobody declared are found, and small numbers that are in every key are not called one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from analysis.frames import frame_of
from analysis.relationships.discover import discover
from analysis.relationships.findings import (
    Basis,
    ForeignKey,
    PartStatus,
    RelationshipOptions,
    Relationships,
    Standing,
)


def found_in(
    tables: Mapping[str, Mapping[str, Any]], totals: Mapping[str, int] | None = None, **options: Any
) -> Relationships:
    frames = {name: frame_of(columns, (totals or {}).get(name)) for name, columns in tables.items()}
    return discover(frames, RelationshipOptions(**options), lambda share, what: None, lambda: None)


def pairs(keys: Sequence[ForeignKey], standing: Standing | None = Standing.LIKELY) -> set[tuple[str, str]]:
    return {
        (f"{key.child.dataset}.{key.child.column}", f"{key.parent.dataset}.{key.parent.column}")
        for key in keys
        if standing in (None, key.standing)
    }


def sales(seed: int, rows: int = 3000) -> dict[str, dict[str, Any]]:
    random = np.random.default_rng(seed)
    skus = np.array([f"P{number:05d}" for number in random.choice(90_000, 200, replace=False)], dtype=object)
    return {
        "public.customers": {
            "id": np.arange(1, 801),
            "email": [f"user{number}@example.com" for number in range(800)],
            "age": random.integers(18, 90, 800),
        },
        "products.csv": {"sku": skus, "id": np.arange(1, 201), "weight": random.normal(size=200)},
        "orders": {
            "id": np.arange(1, rows + 1),
            "customer_id": random.integers(1, 801, rows),
            "product": skus[random.integers(0, 200, rows)],
            "month": random.integers(1, 13, rows),
            "is_gift": random.integers(0, 2, rows),
            "quantity": random.integers(1, 50, rows),
        },
    }


@pytest.mark.parametrize("seed", range(5))
def test_references_are_found_and_nothing_else(seed: int) -> None:
    keys = found_in(sales(seed)).foreign_keys
    assert pairs(keys) == {("orders.customer_id", "public.customers.id"), ("orders.product", "products.csv.sku")}
    best = {key.child.column: key for key in keys}
    assert best["customer_id"].basis is Basis.EXACT
    assert (best["customer_id"].n, best["customer_id"].of, best["customer_id"].share) == (3000, 3000, 1.0)
    assert best["product"].covered == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_small_numbers_are_no_foreign_keys(seed: int) -> None:
    """0 and 1, months and ages lie in every key that counts from 0 or 1; names of other things do not help."""
    random = np.random.default_rng(seed)
    tables: dict[str, dict[str, Any]] = {
        "regions": {"id": np.arange(0, 20), "label": [f"region {number}" for number in range(20)]},
        "stores": {"store_id": np.arange(0, 500)},
        "calendar": {"month": np.arange(1, 13)[random.permutation(12)], "days": [31, 28, 31, 30] * 3},
        "facts": {
            "flag": random.integers(0, 2, 1000),
            "hour": random.integers(0, 20, 1000),
            "age": random.integers(18, 90, 1000),
            "score": random.integers(1, 11, 1000),
            "line": np.arange(1000) % 7,
        },
    }
    result = found_in(tables)
    assert pairs(result.foreign_keys) == set(), seed
    assert [join for join in result.joinable if join.standing is Standing.LIKELY] == []
    assert result.parts["foreign_keys"].by_chance > 5


def test_two_datasets_that_count_their_rows_do_not_refer_to_each_other() -> None:
    tables: dict[str, dict[str, Any]] = {
        "left": {"id": np.arange(1, 1001)},
        "right": {"id": np.arange(1, 1501)},
        "x": {"key": np.arange(1, 900)},
    }
    assert pairs(found_in(tables).foreign_keys, None) == set()

    tables = {"left": {"id": np.arange(1, 1001)}, "right": {"id": np.arange(1, 1002)}, "third": {"nr": np.arange(1000)}}
    assert pairs(found_in(tables).foreign_keys, None) == set()


def test_two_datasets_of_every_hour_do_not_refer_to_each_other() -> None:
    """In microseconds hours fill little of their range; in hours they fill it."""
    hours = np.datetime64("2024-01-01") + np.arange(3000).astype("timedelta64[h]")
    tables: dict[str, dict[str, Any]] = {
        "wind": {"at": hours, "speed": np.arange(3000) / 7},
        "rain": {"at": hours[:2900]},
        "sun": {"day": hours[::24]},
    }
    result = found_in(tables)
    assert pairs(result.foreign_keys) == set()
    assert [join for join in result.joinable if join.standing is Standing.LIKELY] == []


def test_an_outlier_among_the_keys_does_not_make_them_sparse() -> None:
    random = np.random.default_rng(6)
    tables: dict[str, dict[str, Any]] = {
        "a": {"id": [*range(1, 400), 999_999_999]},
        "b": {"score": random.integers(1, 101, 900)},
    }
    assert found_in(tables).foreign_keys == ()


def test_half_of_some_numbers_among_half_of_all_is_chance() -> None:
    random = np.random.default_rng(5)
    left, right = (random.choice(1000, 500, replace=False) for _ in range(2))
    rest = np.setdiff1d(np.arange(1000), right)
    lucky = np.concatenate((random.choice(right, 26, replace=False), random.choice(rest, 14, replace=False)))
    for power in (left, lucky):
        result = found_in({"a": {"power": power}, "b": {"weight": right}}, min_inclusion=0.3, min_containment=0.3)
        assert (result.foreign_keys, result.joinable) == ((), ())


def test_numbers_with_gaps_are_a_reference_whatever_their_name() -> None:
    random = np.random.default_rng(3)
    numbers = random.choice(10_000_000, 400, replace=False)
    tables: dict[str, dict[str, Any]] = {
        "a": {"account": numbers, "x": random.normal(size=400)},
        "b": {"who": numbers[random.integers(0, 400, 900)]},
    }
    (key,) = found_in(tables).foreign_keys
    assert (key.child.column, key.parent.column, key.standing) == ("who", "account", Standing.LIKELY)
    assert any("fill only" in reason.says for reason in key.evidence)


def test_a_reference_within_one_dataset() -> None:
    random = np.random.default_rng(4)
    managers = [None if row < 3 else int(random.integers(1, row)) for row in range(1, 600)]
    result = found_in(
        {"staff": {"employee_id": np.arange(1, 600), "manager_id": managers, "floor": [1, 2, 3] * 199 + [1, 2]}}
    )
    (key,) = (key for key in result.foreign_keys if key.standing is Standing.LIKELY or key.child.column == "manager_id")
    assert (key.child.column, key.parent.column) == ("manager_id", "employee_id")
    assert (key.n, key.of) == (597, 599)


@pytest.mark.parametrize("orphans", [10, 40])
def test_rows_without_partner_are_counted(orphans: int) -> None:
    tables = sales(1, 1000)
    tables["orders"]["customer_id"][:orphans] = 1_000_000 + np.arange(orphans)
    key = next(key for key in found_in(tables).foreign_keys if key.child.column == "customer_id")
    assert (key.n - key.included_rows, key.share) == (orphans, 1 - orphans / 1000)
    (reason,) = (reason for reason in key.evidence if "have no partner" in reason.says)
    assert reason.says == f"{orphans / 1000:.2%} have no partner"
    assert reason.weight == pytest.approx(-orphans / 25)


def test_too_many_rows_without_partner() -> None:
    tables = sales(1, 1000)
    tables["orders"]["customer_id"][:60] = 1_000_000 + np.arange(60)
    assert "customer_id" not in {key.child.column for key in found_in(tables).foreign_keys}


def test_a_sample_of_the_referring_rows_bounds_the_share() -> None:
    tables = sales(2, 500)
    key = next(k for k in found_in(tables, {"orders": 50_000}).foreign_keys if k.child.column == "customer_id")
    assert key.basis is Basis.SAMPLE
    assert (key.share, key.high) == (1.0, 1.0)
    assert 0.99 < key.low < 1.0


def test_a_sample_of_the_keys_proves_nothing() -> None:
    result = found_in(sales(2, 500), {"public.customers": 900, "products.csv": 900, "orders": 9000})
    assert result.foreign_keys == ()
    assert result.parts["foreign_keys"].status is PartStatus.LEFT_OUT
    assert "sample" in result.parts["foreign_keys"].why


def test_keys_beyond_what_floats_tell_apart() -> None:
    """2**60 + 1 and 2**60 + 2 are one float64; they are two keys."""
    keys = 2**60 + 7 * np.arange(300)
    tables: dict[str, dict[str, Any]] = {
        "owner": {"owner_id": keys},
        "car": {"owner_id": keys[np.arange(900) % 300], "near_id": keys[np.arange(900) % 300] + 1},
    }
    assert pairs(found_in(tables).foreign_keys) == {("car.owner_id", "owner.owner_id")}


def test_texts_and_numbers_are_never_compared() -> None:
    tables: dict[str, dict[str, Any]] = {
        "a": {"code": [str(number) for number in range(900)]},
        "b": {"code": np.arange(900)},
    }
    result = found_in(tables)
    assert (result.foreign_keys, result.joinable) == ((), ())


def test_the_order_of_rows_does_not_matter() -> None:
    tables = sales(6, 700)
    random = np.random.default_rng(6)
    shuffled = {}
    for name, columns in tables.items():
        order = random.permutation(len(columns["id"]))
        shuffled[name] = {
            label: np.asarray(values, dtype=getattr(values, "dtype", object))[order]
            for label, values in columns.items()
        }
    assert found_in(tables).foreign_keys == found_in(shuffled).foreign_keys
