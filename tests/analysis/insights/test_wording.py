"""Numbers as people read them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.insights import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.012345, "0.0123"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (999.95, "1,000"),
        (5_640_000.0, "5.64 million"),
        (-7.5e12, "-7.5 trillion"),
        (1e-9, "1.00e-09"),
        (3e20, "3.00e+20"),
        (math.nan, "an unknown number"),
        (100.0, "100"),
        (999_999_999.9, "1 billion"),
        (999_400_000.0, "999 million"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.42, "0.42"),
        (-0.994, "-0.99"),
        (0.998, "0.998"),
        (-0.99996, "under -0.9999"),
        (1.0, "1"),
        (0.0, "0"),
        (0.00001, "1.0e-05"),
    ],
)
def test_correlations_are_perfect_only_where_they_are(value: float, text: str) -> None:
    assert wording.coefficient(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.0004, "under 0.1 %"), (0.034, "3.4 %"), (0.42, "42 %"), (0.9995, "over 99.9 %"), (1.0, "100 %")],
)
def test_shares_never_round_to_nothing_or_all(share: float, text: str) -> None:
    assert wording.percent(share) == text


def test_singular_plural_and_lists() -> None:
    assert wording.count(1, "row") == "1 row"
    assert wording.count(12_345, "row") == "12,345 rows"
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.quoted("  x \n y ") == "“x y”"
    assert wording.shortened("z" * 100) == "z" * 60 + "…"


def test_moments_are_as_precise_as_their_step() -> None:
    stamp = np.datetime64("2024-03-05T14:30")
    assert [wording.moment(stamp, unit) for unit in ("year", "month", "day", "hour")] == [
        "2024",
        "2024-03",
        "2024-03-05",
        "2024-03-05 14:30",
    ]
