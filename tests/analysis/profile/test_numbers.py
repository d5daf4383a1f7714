"""Profiles of numbers against plain references: Python's own integers, fractions and the statistics module."""

import math
import re
import statistics
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.columns import Kind, column_of
from analysis.profile.accumulator import ColumnAccumulator, profile_column
from analysis.profile.figures import ColumnProfile, NumberFigures
from analysis.profile.told import DEFAULT_QUANTILES, ProfileOptions

ordinary = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
any_float = st.floats(allow_nan=True, allow_infinity=True)
small_integers = st.integers(-5, 5)
any_integer = st.one_of(small_integers, st.integers(-(2**63), 2**63 - 1), st.integers(-(10**40), 10**40))
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20)


def numbers(profile: ColumnProfile) -> NumberFigures:
    assert profile.numbers is not None
    return profile.numbers


def percentile_disc(values: list[Any], share: float) -> Any:
    ordered = sorted(values)
    return next(value for rank, value in enumerate(ordered, 1) if rank >= round(share * len(ordered), 6))


def told(value: Any) -> Any:
    """As the profile tells an integer."""
    return value if abs(value) < 2**53 else str(value)


@given(st.lists(st.one_of(st.none(), ordinary), max_size=60))
def test_floats_against_plain_references(rows: list[float | None]) -> None:
    profile = profile_column(column_of("c", rows, Kind.FLOAT))
    values, figures = [value for value in rows if value is not None], numbers(profile)
    assert (profile.rows, profile.nulls, profile.count) == (len(rows), rows.count(None), len(values))
    assert profile.distinct == len(set(values))
    assert profile.unique is (0 < len(set(values)) == len(values))
    assert (figures.zeros, figures.negatives) == (values.count(0), sum(value < 0 for value in values))
    if not values:
        assert {figures.min, figures.max, figures.mean, figures.sum, figures.std, figures.skewness} == {None}
        assert figures.histogram is None
        assert figures.order is None
        return
    assert (figures.min, figures.max) == (min(values), max(values))
    assert figures.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-9)
    assert figures.sum == pytest.approx(math.fsum(values), rel=1e-9, abs=1e-6)
    assert [quantile.value for quantile in figures.quantiles] == [
        percentile_disc(values, share) for share in DEFAULT_QUANTILES
    ]
    best = sorted(Counter(value + 0.0 for value in values).items(), key=lambda item: (-item[1], item[0]))[:10]
    assert [(top.value, top.count) for top in profile.top] == best
    if len(values) > 1:
        assert figures.std == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)


@given(st.lists(any_integer, min_size=1, max_size=40))
@example([2**63 - 1, -(2**63), 2**53 + 1, 2**53])
@example([2**63 - 1] * 3)
def test_integers_keep_every_digit(values: list[int]) -> None:
    profile = profile_column(column_of("c", values, Kind.INTEGER))
    figures = numbers(profile)
    assert (figures.min, figures.max, figures.sum) == (told(min(values)), told(max(values)), told(sum(values)))
    assert profile.distinct == len(set(values))
    assert figures.mean == float(Fraction(sum(values), len(values)))
    assert [quantile.value for quantile in figures.quantiles] == [
        told(percentile_disc(values, share)) for share in DEFAULT_QUANTILES
    ]
    assert {top.value: top.count for top in profile.top}.items() <= {
        told(value): count for value, count in Counter(values).items()
    }.items()
    if len(values) > 1:
        mean = Fraction(sum(values), len(values))
        variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
        assert figures.std == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_integers_beyond_every_float() -> None:
    profile = profile_column(column_of("c", [10**400, -(10**400), 0, 5, 7]))
    figures = numbers(profile)
    assert (figures.max, figures.sum, profile.distinct) == (str(10**400), 12, 5)
    assert (figures.mean, figures.std) == (2.4, None)
    assert figures.histogram is not None
    assert sum(figures.histogram.counts) == 5
    assert numbers(profile_column(column_of("c", [10**400, 1]))).mean is None


@given(st.lists(decimals, min_size=1, max_size=40))
def test_decimals_keep_every_digit(values: list[Decimal]) -> None:
    figures = numbers(profile_column(column_of("c", values)))
    assert isinstance(figures.sum, str)
    assert Decimal(figures.sum) == sum(values)
    assert isinstance(figures.min, str)
    assert (Decimal(figures.min), Decimal(str(figures.max))) == (min(values), max(values))
    assert figures.mean == pytest.approx(float(Fraction(sum(map(Fraction, values)), len(values))), rel=1e-12)


@given(st.lists(any_float, max_size=40))
@example([math.nan, math.inf, -math.inf, -0.0, 0.0])
@example([1.7e308, 1.7e308])
@example([1.7e308, -1.7e308])
@example([5e-324, 0.0])
@example([1e200, -1e200, 3e199])
@example([1e-200, 3e-200, 7e-200])
@example([0.0, 0.0, 3.7e-217, 8.4e91])
def test_nothing_but_finite_numbers_goes_into_json(values: list[float]) -> None:
    profile = profile_column(column_of("c", values, Kind.FLOAT))
    text = msgspec.json.encode(profile)
    assert msgspec.json.decode(text, type=ColumnProfile) == profile
    figures = numbers(profile)
    finite = [value for value in values if math.isfinite(value)]
    assert figures.nan == sum(map(math.isnan, values))
    assert (figures.positive_infinity, figures.negative_infinity) == (values.count(math.inf), values.count(-math.inf))
    assert (figures.min, figures.max) == ((min(finite), max(finite)) if finite else (None, None))
    assert profile.distinct == len({repr(value + 0.0) for value in values})
    assert re.search(rb"-0\.0[,}\]]", text) is None
    assert figures.histogram is None or sum(figures.histogram.counts) == len(finite)
    for value in (figures.mean, figures.std, figures.skewness, figures.kurtosis):
        assert value is None or math.isfinite(value)


def test_large_and_small_numbers_keep_their_shape() -> None:
    """Fourth powers would overflow or vanish; skewness and kurtosis have no unit and must not change."""
    values = np.random.default_rng(1).lognormal(size=1000)
    usual = numbers(profile_column(column_of("c", values)))
    for factor in (2.0**900, 2.0**-900):
        scaled = numbers(profile_column(column_of("c", values * factor)))
        assert scaled.skewness == pytest.approx(usual.skewness, rel=1e-9)
        assert scaled.kurtosis == pytest.approx(usual.kurtosis, rel=1e-9)
        assert (scaled.mean, scaled.std) == pytest.approx((usual.mean * factor, usual.std * factor), rel=1e-9)  # type: ignore[operator]


def test_a_figure_beyond_a_float_is_left_out_and_said() -> None:
    profile = profile_column(column_of("c", [1.7e308] * 2))
    assert (numbers(profile).sum, numbers(profile).mean) == (None, 1.7e308)
    assert profile.notes == ["a figure is beyond what a 64-bit float holds, and left out"]


@given(st.lists(st.one_of(small_integers, ordinary), min_size=1, max_size=80), st.integers(1, 20))
def test_every_value_is_in_one_bin(values: list[float], bins: int) -> None:
    kind = Kind.INTEGER if all(isinstance(value, int) for value in values) else Kind.FLOAT
    figures = numbers(profile_column(column_of("c", values, kind), ProfileOptions(bins=bins)))
    assert figures.histogram is not None
    edges, counts = [float(edge) for edge in figures.histogram.edges], figures.histogram.counts
    assert figures.histogram.rule == "fixed"
    assert len(counts) == len(edges) - 1 <= bins
    assert edges == sorted(edges)
    for low, high, count in zip(edges[:-2], edges[1:-1], counts[:-1], strict=True):
        assert count == sum(low <= value < high for value in values)
    assert counts[-1] == sum(edges[-2] <= value <= edges[-1] for value in values)
    assert sum(counts) == len(values)


def test_the_bins_are_those_of_freedman_and_diaconis() -> None:
    values = np.random.default_rng(2).normal(size=2000)
    histogram = numbers(profile_column(column_of("c", values))).histogram
    assert histogram is not None
    low, high = (np.quantile(values, share, method="inverted_cdf") for share in (0.25, 0.75))
    width = 2 * (high - low) / 2000 ** (1 / 3)
    assert histogram.rule == "freedman-diaconis"
    assert len(histogram.counts) == math.ceil((values.max() - values.min()) / width)
    expected, _ = np.histogram(values, bins=len(histogram.counts))
    assert histogram.counts == expected.tolist()


def test_half_of_the_values_equal_makes_bins_by_sturges() -> None:
    histogram = numbers(profile_column(column_of("c", [7] * 60 + [1, 2, 3, 90]))).histogram
    assert histogram is not None
    assert (histogram.rule, len(histogram.counts)) == ("sturges", 7)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([1, 2, 3], (True, True, False, False)),
        ([1, 1, 3], (True, False, False, False)),
        ([3, 2, 2], (False, False, True, False)),
        ([3, 2, 1], (False, False, True, True)),
        ([1, 1], (True, False, True, False)),
        ([1, 3, 2], (False, False, False, False)),
        ([5], (True, True, True, True)),
    ],
)
@pytest.mark.parametrize("batch", [1, 2, 10])
def test_order_is_that_of_the_rows_over_all_batches(values: list[int], order: tuple[bool, ...], batch: int) -> None:
    whole = ColumnAccumulator("c", Kind.INTEGER)
    for start in range(0, len(values), batch):
        part = ColumnAccumulator("c", Kind.INTEGER)
        part.add(column_of("c", values[start : start + batch], Kind.INTEGER))
        whole.merge(part)
    found = numbers(whole.profile()).order
    assert found is not None
    assert msgspec.structs.astuple(found) == order


def test_every_figure_says_how_it_was_computed() -> None:
    profile = profile_column(column_of("c", [1, 2]))
    figures = {*NumberFigures.__struct_fields__, "rows", "count", "nulls", "misfits", "distinct", "unique", "top"}
    assert profile.basis == dict.fromkeys(figures | {"constant"}, "exact")


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a share from 0 to 1, not 95"):
        ProfileOptions(quantiles=(95,))
    with pytest.raises(ValueError, match="between 1 and 10000 bins, not 0"):
        ProfileOptions(bins=0)
    with pytest.raises(ValueError, match="between 0 and 1000 top values"):
        ProfileOptions(top=-1)
