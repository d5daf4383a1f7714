"""Outliers are told from heavy tails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.columns import Array
from analysis.tails import outliers_above, outliers_of

SHAPES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "log-normal": lambda rng, n: rng.lognormal(0, 1.5, n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "uniform": lambda rng, n: rng.random(n),
    "counts": lambda rng, n: rng.poisson(1, n).astype(np.float64),
    "two values": lambda rng, n: (rng.random(n) < 0.3).astype(np.float64),
    "power law": lambda rng, n: rng.zipf(2.0, n).astype(np.float64),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("rows", "tables"), [(200, 60), (5_000, 25)])
def test_no_shape_has_outliers_of_itself(shape: str, rows: int, tables: int) -> None:
    rng = np.random.default_rng(11)
    found = [outliers_above(SHAPES[shape](rng, rows)) for _ in range(tables)]
    chances = np.array([1.0 if one is None else one.p for one in found])
    print(f"seed 11, {shape}, {rows} rows: {np.sort(chances)[:3]}")
    assert np.mean(chances < 0.05) <= 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5
    assert chances.min() > 1e-4


@pytest.mark.parametrize("rows", [300, 1_500, 20_000])
def test_planted_outliers_are_found_and_only_they(rows: int) -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_normal(rows)
    planted = rng.choice(rows, 3, replace=False)
    values[planted] = [15.0, 16.0, 18.0]
    found = outliers_above(values)
    assert found is not None
    assert found.p < 1e-4
    assert set(found.rows) == set(planted)
    assert found.rows[0] == planted[2]
    assert 2.0 < found.limit < 6.0


def test_nulls_and_the_other_side_do_not_matter() -> None:
    values = np.random.default_rng(1).standard_normal(1_000)
    values[0], values[1] = 20.0, -1e9
    alone = outliers_above(values[values > -100])
    values[2:50] = np.nan
    found = outliers_above(values)
    assert found is not None
    assert alone is not None
    assert found.rows.tolist() == [0]
    assert found.p < 1e-3


@pytest.mark.parametrize("values", [np.full(100, np.nan), np.ones(100), np.arange(5.0), np.zeros(0)])
def test_what_cannot_be_judged(values: Array) -> None:
    assert outliers_above(values) is None
    assert outliers_of(values) is None
