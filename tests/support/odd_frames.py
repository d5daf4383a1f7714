"""Frames of odd columns from a seed: what sources hold beside well-behaved numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.frames import Frame, frame_of

Maker = Callable[[np.random.Generator, int], Any]

_WORDS = np.array(["", " ", "a", "ä" * 300, "null", "NaN", "1", "\x00", "🙂", "x\ny"], dtype=object)


def _holes(values: Any, random: np.random.Generator, share: float) -> list[Any]:
    return [None if random.uniform() < share else value for value in np.asarray(values).tolist()]


MAKERS: tuple[Maker, ...] = (
    lambda random, rows: random.normal(size=rows),
    lambda random, rows: random.normal(size=rows) * 10.0 ** random.integers(-300, 300),
    lambda random, rows: random.standard_cauchy(rows) ** 3,
    lambda random, rows: np.where(random.uniform(size=rows) < 0.2, np.inf, random.normal(size=rows)),
    lambda random, rows: np.arange(rows),
    lambda random, rows: random.integers(-(2**63), 2**63 - 1, rows),
    lambda random, rows: random.integers(0, 3, rows),
    lambda random, rows: np.full(rows, 7),
    lambda random, rows: np.zeros(rows),
    lambda random, rows: (random.uniform(size=rows) < 0.02).astype(float),
    lambda random, rows: [None] * rows,
    lambda random, rows: _holes(random.normal(size=rows), random, 0.97),
    lambda random, rows: _holes(random.integers(0, 9, rows), random, 0.4),
    lambda random, rows: _WORDS[random.integers(0, len(_WORDS), rows)],
    lambda random, rows: [f"t{number}" for number in range(rows)],
    lambda random, rows: [f"t{number}" for number in random.integers(0, max(1, rows // 2), rows)],
    lambda random, rows: _holes([f"g{number % 4}" for number in range(rows)], random, 0.3),
    lambda random, rows: random.uniform(size=rows) < 0.5,
    lambda random, rows: _holes(random.uniform(size=rows) < 0.1, random, 0.5),
    lambda random, rows: np.datetime64("1900-01-01") + random.integers(0, 90_000, rows),
    lambda random, rows: np.datetime64("2024-01-01T00:00:00", "us") + random.integers(0, 10**12, rows),
    lambda random, rows: [np.datetime64("NaT")] * rows,
    lambda random, rows: [{"k": int(number)} for number in random.integers(0, 3, rows)],
    lambda random, rows: [b"\x00\xff"] * rows,
    lambda random, rows: [[1, "x", 2.5, None, True][number] for number in random.integers(0, 5, rows)],
)


def odd_frame(seed: int, rows: int | None = None) -> Frame:
    """Two to eight columns `c0`... of 0 to 300 rows, some of them twice."""
    random = np.random.default_rng(seed)
    rows = int(random.choice([0, 1, 2, 39, 40, 60, 120, 300])) if rows is None else rows
    columns = {
        f"c{number}": MAKERS[random.integers(0, len(MAKERS))](random, rows) for number in range(random.integers(2, 9))
    }
    if random.uniform() < 0.3:
        columns["again"] = columns["c0"]
    return frame_of(columns)
