"""Undisturbed noise of many shapes, on which a band promises its rate of false alarms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from analysis.columns import Array

Rng = np.random.Generator
_DAY = 288


def _correlated(rng: Rng, n: int, memory: float) -> Array:
    made = lfilter([1.0], [1.0, -memory], rng.standard_normal(n + 500))
    return np.asarray(made[500:], dtype=np.float64)


def _season(n: int) -> Array:
    return np.asarray(np.sin(2 * np.pi * np.arange(n) / _DAY))


NOISES: dict[str, Callable[[Rng, int], Array]] = {
    "Gaussian": lambda rng, n: rng.standard_normal(n),
    "Laplace": lambda rng, n: rng.laplace(size=n),
    "log-normal": lambda rng, n: rng.lognormal(size=n),
    "Student, 3 degrees": lambda rng, n: rng.standard_t(3, n),
    "Poisson, mean 3": lambda rng, n: rng.poisson(3.0, n).astype(np.float64),
    "uniform": lambda rng, n: rng.random(n),
    "nearly always 0": lambda rng, n: rng.lognormal(size=n) * (rng.random(n) < 0.05),
    "AR(1), memory 0.9": lambda rng, n: _correlated(rng, n, 0.9),
    "random walk": lambda rng, n: np.cumsum(rng.standard_normal(n)),
    "a trend": lambda rng, n: 0.01 * np.arange(n) + rng.standard_normal(n),
    "a day's season, louder by day": lambda rng, n: (
        50.0 + 20.0 * _season(n) + rng.standard_normal(n) * (1.2 + _season(n))
    ),
}
