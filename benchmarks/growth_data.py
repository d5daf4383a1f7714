"""Sizes that grow in the ways databases do, from seeds: to see whether what is told of them comes true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.columns import Array

Rng = np.random.Generator
HOUR_MS = 3_600_000


def _steady(rng: Rng, hours: int) -> Array:
    """The same each hour, with noise."""
    return np.asarray(np.cumsum(rng.gamma(2.0, 0.5, hours)))


def _working_weeks(rng: Rng, hours: int) -> Array:
    """By day and on working days."""
    hour = np.arange(hours)
    weight = np.where((hour % 24 >= 8) & (hour % 24 < 18), 2.0, 0.2) * np.where(hour // 24 % 7 < 5, 1.2, 0.2)
    return np.asarray(np.cumsum(weight * rng.gamma(2.0, 0.5, hours)))


def _cleaned(rng: Rng, hours: int) -> Array:
    """Steady, and now and then a third is deleted."""
    made, size = np.zeros(hours), 0.0
    for hour in range(hours):
        size += rng.gamma(2.0, 0.5)
        size *= 0.67 if rng.random() < 1 / (24 * 45) else 1.0
        made[hour] = size
    return made


def _weekly_retention(rng: Rng, hours: int) -> Array:
    """Saw-teeth of weeks upon steady growth."""
    return np.asarray(np.cumsum(rng.gamma(2.0, 0.15, hours)) + 1.5 * (np.arange(hours) % 168))


def _bulk_loads(rng: Rng, hours: int) -> Array:
    """Slow, and each ten days or so a large load."""
    return np.asarray(
        np.cumsum(rng.gamma(2.0, 0.1, hours) + (rng.random(hours) < 1 / 240) * rng.gamma(4.0, 40.0, hours))
    )


def _faster_lately(rng: Rng, hours: int) -> Array:
    """Twice to four times as fast since some day."""
    change = rng.integers(hours // 4, hours)
    pace = np.where(np.arange(hours) < change, 1.0, rng.uniform(2.0, 4.0))
    return np.asarray(np.cumsum(pace * rng.gamma(2.0, 0.5, hours)))


def _compounding(rng: Rng, hours: int) -> Array:
    """By one to three percent a day."""
    return np.asarray(
        1000.0 * (np.exp(rng.uniform(0.01, 0.03) * np.arange(hours) / 24) - 1.0) + rng.normal(0.0, 2.0, hours)
    )


def _wandering(rng: Rng, hours: int) -> Array:
    """Up and down, with a little growth."""
    return np.asarray(np.cumsum(rng.normal(0.3, 4.0, hours)))


def _still(rng: Rng, hours: int) -> Array:
    """It does not grow."""
    return rng.normal(0.0, 5.0, hours) + 10.0 * np.sin(2 * np.pi * np.arange(hours) / 24)


SIZES: dict[str, Callable[[Rng, int], Array]] = {
    "steady": _steady,
    "working weeks": _working_weeks,
    "cleaned now and then": _cleaned,
    "retention each week": _weekly_retention,
    "bulk loads": _bulk_loads,
    "faster lately": _faster_lately,
    "compounding": _compounding,
    "wandering": _wandering,
    "still": _still,
}
