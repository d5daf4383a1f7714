"""What is written into chunks and batches comes back to the bit; and real-looking series take few bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.samples import batch_body, chunk_body, planes
from storage.samples.chunk_body import LASTING, QUICK
from storage.samples.rollup import FIELDS, Rollup, roll_up

MOST = 2**63 - 1
NASTY = (0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), 2.0**53, 0.1)
# A marker with a payload of its own, as Prometheus sends them.
STALE = float(np.array([0x7FF0000000000002], np.uint64).view(np.float64)[0])

decimals = st.builds(lambda number, places: number / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 4))
values = st.one_of(decimals, st.floats(width=64), st.sampled_from((*NASTY, STALE)))
series = st.one_of(
    st.lists(decimals, min_size=1, max_size=60),
    st.lists(values, min_size=1, max_size=60),
    st.lists(st.integers(0, 2**62).map(float), min_size=1, max_size=60),
)
some_series = st.dictionaries(st.integers(0, 15), series, min_size=1, max_size=5)
times = st.one_of(st.just(10_000), st.integers(1, 2**40))


def bits(column: NDArray[np.float64]) -> list[int]:
    found: list[int] = column.view(np.int64).tolist()
    return found


def columns_of(
    by_owner: dict[int, list[float]], step: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    owner = np.repeat(np.array(sorted(by_owner), np.int64), [len(by_owner[one]) for one in sorted(by_owner)])
    at_ms = np.concatenate([1_700_000_000_000 + np.arange(len(by_owner[one])) * step for one in sorted(by_owner)])
    return owner, at_ms, np.concatenate([np.array(by_owner[one]) for one in sorted(by_owner)])


@settings(max_examples=150, deadline=None)
@given(some_series, times, st.sampled_from((QUICK, LASTING)))
def test_samples_come_back_to_the_bit(by_owner: dict[int, list[float]], step: int, level: int) -> None:
    owner, at_ms, value = columns_of(by_owner, step)
    found = chunk_body.decode_samples(chunk_body.encode_samples(owner, at_ms, value, level))
    assert found[0].tolist() == owner.tolist()
    assert found[1].tolist() == at_ms.tolist()
    assert bits(found[2]) == bits(value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**24 - 1), st.integers(-MOST, MOST), values), min_size=1, max_size=50))
def test_batches_come_back_in_their_order(rows: list[tuple[int, int, float]]) -> None:
    numbers, at_ms, value = (np.array(column) for column in zip(*rows, strict=True))
    found = batch_body.decode(batch_body.encode(numbers, at_ms, value))
    assert [column.tolist() for column in found[:2]] == [numbers.tolist(), at_ms.tolist()]
    assert bits(found[2]) == bits(value)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-MOST - 1, MOST), max_size=70))
def test_whole_numbers_of_all_sizes_come_back(numbers: list[int]) -> None:
    column = np.array(numbers, np.int64)
    assert planes.decode(planes.encode(column, QUICK), len(column)).tolist() == numbers


@settings(max_examples=100, deadline=None)
@given(some_series, st.integers(1_000, 90_000), st.booleans())
def test_buckets_come_back(by_owner: dict[int, list[float]], step: int, is_counter: bool) -> None:
    owner, at_ms, value = columns_of(by_owner, step)
    owners, rollup = roll_up(owner, at_ms, value, np.full(len(owner), is_counter), 60_000)
    found_owners, found = chunk_body.decode_rollup(chunk_body.encode_rollup(owners, rollup, LASTING))
    assert found_owners.tolist() == owners.tolist()
    assert len(found) == len(rollup)
    for name in FIELDS:
        one, other = getattr(found, name), getattr(rollup, name)
        assert one.dtype == other.dtype
        if name in ("sum", "increase"):
            with np.errstate(invalid="ignore", over="ignore"):
                noise = np.fmax(np.abs(rollup.min), np.abs(rollup.max)) * 2**-50 * (rollup.count + 1)
                assert np.all((one == other) | (np.abs(one - other) <= noise) | (np.isnan(one) & np.isnan(other)))
        else:
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_sums_of_decimals_are_decimals() -> None:
    """Three times 0.1 is 0.3, and not what floats make of it."""
    rollup = Rollup(
        start_ms=np.array([0]),
        count=np.array([3]),
        sum=np.array([0.1 + 0.1 + 0.1]),
        min=np.array([0.1]),
        max=np.array([0.1]),
        last=np.array([0.1]),
        increase=np.array([0.1 + 0.2]),
        observed_ms=np.array([3]),
        gaps=np.array([0], np.uint8),
    )
    _, found = chunk_body.decode_rollup(chunk_body.encode_rollup(np.array([0]), rollup, LASTING))
    assert (found.sum[0], found.increase[0]) == (0.3, 0.3)
    # What has more decimals than the values can have is left as it is.
    other = Rollup(*(np.array([1.25]) if name == "sum" else getattr(rollup, name) for name in FIELDS))
    _, found = chunk_body.decode_rollup(chunk_body.encode_rollup(np.array([0]), other, LASTING))
    assert found.sum[0] == 1.25


@pytest.mark.parametrize(
    ("name", "most"),
    [("percent", 1.5), ("pages", 1.5), ("queue", 0.6), ("counter", 1.1), ("constant", 0.1), ("noise", 7.0)],
)
def test_series_take_few_bytes(name: str, most: float) -> None:
    rng = np.random.default_rng(3)
    count, number = 2160, 16
    made = {
        "percent": np.round(40 + rng.normal(0, 2, (number, count)), 2),
        "pages": (10**6 + np.cumsum(rng.integers(-300, 301, (number, count)), axis=1)) * 4096.0,
        "queue": rng.poisson(3, (number, count)).astype(np.float64),
        "counter": np.cumsum(rng.poisson(400, (number, count)), axis=1).astype(np.float64),
        "constant": np.full((number, count), 100.0),
        "noise": rng.random((number, count)),
    }[name]
    at_ms = np.tile(np.arange(count) * 10_000 + np.round(rng.normal(0, 5, count)).astype(np.int64), number)
    body = chunk_body.encode_samples(np.repeat(np.arange(number), count), at_ms, made.ravel(), LASTING)
    assert len(body) / made.size <= most


def test_increases_of_large_counters_are_decimals() -> None:
    """What is taken from one float for the other is noise beyond the decimals, and took seven bytes."""
    rng = np.random.default_rng(4)
    value = np.round(1e7 + np.cumsum(rng.gamma(20, 15, 2160)), 3)
    owner = np.zeros(len(value), np.int64)
    owners, rollup = roll_up(owner, np.arange(len(value)) * 10_000, value, owner == 0, 60_000)
    body = chunk_body.encode_rollup(owners, rollup, LASTING)
    assert len(body) / len(rollup) < 11
    _, found = chunk_body.decode_rollup(body)
    assert found.increase.tolist() == [round(one, 3) for one in rollup.increase.tolist()]


def test_a_chunk_of_another_kind_is_not_taken_for_one_of_this() -> None:
    body = chunk_body.encode_samples(np.array([0]), np.array([0]), np.array([0.0]), QUICK)
    with pytest.raises(ValueError, match="kind 1"):
        chunk_body.decode_rollup(body)
    with pytest.raises(ValueError, match="format 9"):
        batch_body.decode(b"\x09\x01\x00\x00\x00")
