"""What associations are measured on: twenty columns of numbers and ten of categories that partly go together.

Imports nothing but numpy, so that the peers' environment can read it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS, CATEGORIES = 20, 10
LEVELS = (2, 5, 12, 50, 300)
SEED = 7
NULLS = 0.01

Array = np.ndarray[Any, np.dtype[Any]]


_SHAPES: tuple[Callable[[Array], Array], ...] = (
    np.array,
    lambda normal: np.round(normal * 15),
    lambda normal: np.round(normal * 1500),
    np.exp,
)


def write(folder: Path, rows: int) -> None:
    """Numbers continuous, rounded to about 100 and 10,000 different values, and log-normal, in turn; one in a hundred
    null, each by itself. Every fifth follows a cause that every other category follows, too."""
    chance = np.random.default_rng(SEED)
    cause = chance.normal(size=rows)
    for place in range(NUMBERS):
        normal = chance.normal(size=rows) + (cause if place % 5 == 0 else 0.0)
        values = _SHAPES[place % len(_SHAPES)](normal)
        values[chance.random(rows) < NULLS] = np.nan
        np.save(folder / f"number-{place}.npy", values)
    for place in range(CATEGORIES):
        levels = LEVELS[place % len(LEVELS)]
        codes = chance.integers(0, levels, rows).astype(np.int32)
        if place % 2:
            codes = np.where(chance.random(rows) < 0.3, (np.abs(cause) * levels / 4).astype(np.int32) % levels, codes)
        codes[chance.random(rows) < NULLS] = -1
        np.save(folder / f"category-{place}.npy", codes.astype(np.int32))


def numbers(folder: Path, rows: int | None = None) -> dict[str, Array]:
    """float64, NaN where null; the first rows only where told."""
    return {f"n{place}": values[:rows] for place, values in enumerate(_read(folder, "number", NUMBERS))}


def categories(folder: Path, rows: int | None = None) -> dict[str, Array]:
    """int32 codes, -1 where null."""
    return {f"c{place}": codes[:rows] for place, codes in enumerate(_read(folder, "category", CATEGORIES))}


def _read(folder: Path, what: str, count: int) -> Iterator[Array]:
    for place in range(count):
        yield np.load(folder / f"{what}-{place}.npy")
