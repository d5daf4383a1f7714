"""Series that look like those that monitoring meets: made, seeded, of the kinds that matter to a compressor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.samples.columns import COUNTER, GAUGE, SeriesKey

Values = NDArray[np.float64]
Made = Callable[[np.random.Generator, int], Values]

STEP_MS = 10_000
# Collectors are late by some milliseconds, all series of a visit alike.
JITTER_MS = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """Series of one kind. Only decimals and whole numbers count towards what is to be reached."""

    name: str
    make: Made
    kind: str = GAUGE
    counts: bool = True

    def keys(self, count: int) -> list[SeriesKey]:
        """Names for so many series."""
        return [SeriesKey(self.name, (("host", f"host-{n}"),), self.kind) for n in range(count)]


def _rounded(values: Values, places: int) -> Values:
    rounded: Values = np.round(values, places)
    return rounded


def _cpu(rng: np.random.Generator, n: int) -> Values:
    day = 40 + 20 * np.sin(np.arange(n) / 8640 * 2 * np.pi + rng.uniform(0, 6))
    walk = np.cumsum(rng.normal(0, 0.2, n)) * 0.2
    values: Values = np.clip(_rounded(day + walk + rng.normal(0, 2, n), 2), 0, 100)
    return values


def _memory(rng: np.random.Generator, n: int) -> Values:
    pages: Values = 1_000_000 + np.cumsum(rng.integers(-500, 501, n) * (rng.random(n) < 0.6)).astype(np.float64)
    return pages * 4096.0


def _disk(rng: np.random.Generator, n: int) -> Values:
    taken: Values = np.cumsum(rng.poisson(3000, n) * (rng.random(n) < 0.5)).astype(np.float64)
    return 5e11 - taken * 4096.0


def _queue(rng: np.random.Generator, n: int) -> Values:
    return rng.poisson(np.exp(np.sin(np.arange(n) / 500) + 0.5)).astype(np.float64)


def _connections(rng: np.random.Generator, n: int) -> Values:
    return np.clip(20 + np.cumsum(rng.integers(-1, 2, n) * (rng.random(n) < 0.3)), 0, 200).astype(np.float64)


def _latency(rng: np.random.Generator, n: int) -> Values:
    return _rounded(rng.lognormal(2, 0.4, n), 3)


def _temperature(rng: np.random.Generator, n: int) -> Values:
    return _rounded(22 + 3 * np.sin(np.arange(n) / 8640 * 2 * np.pi) + rng.normal(0, 0.15, n), 1)


def _up(rng: np.random.Generator, n: int) -> Values:
    return np.where(rng.random(n) > 0.0005, 1.0, 0.0)


def _transactions(rng: np.random.Generator, n: int) -> Values:
    return np.cumsum(rng.poisson(300 + 200 * np.sin(np.arange(n) / 8640 * 2 * np.pi))).astype(np.float64)


def _busy_ms(rng: np.random.Generator, n: int) -> Values:
    return _rounded(np.cumsum(rng.gamma(20, 15, n)), 3)


def _ratio(rng: np.random.Generator, n: int) -> Values:
    hits = rng.integers(9000, 10_000, n)
    return hits / (hits + rng.integers(1, 200, n))


def _noise(rng: np.random.Generator, n: int) -> Values:
    return rng.lognormal(-5, 0.5, n)


KINDS = (
    Kind("CPU, percent with 2 decimals", _cpu),
    Kind("memory, bytes in pages", _memory),
    Kind("free disk, bytes", _disk),
    Kind("queue length", _queue),
    Kind("connections", _connections),
    Kind("latency, ms with 3 decimals", _latency),
    Kind("temperature, 1 decimal", _temperature),
    Kind("up, 0 or 1", _up),
    Kind("counter of transactions", _transactions, COUNTER),
    Kind("counter of ms, 3 decimals", _busy_ms, COUNTER),
    Kind("ratio of two counts, all digits", _ratio, counts=False),
    Kind("noise, all digits", _noise, counts=False),
)


def times(rng: np.random.Generator, start_ms: int, count: int) -> NDArray[np.int64]:
    """Times ten seconds apart, give or take."""
    jitter = np.round(rng.normal(0, JITTER_MS, count)).astype(np.int64)
    return start_ms + np.arange(count) * STEP_MS + jitter
