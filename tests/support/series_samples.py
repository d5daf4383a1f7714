"""Series with known make-up, for tests of what is found in series."""

import numpy as np

from analysis.columns import Array

MICROSECONDS = {"hour": 3_600_000_000, "day": 86_400_000_000, "week": 7 * 86_400_000_000}
SEEDS = range(40)


def stamps(count: int, step: str = "hour", start: str = "2024-01-01") -> Array:
    """`count` stamps (datetime64[us]), that step apart."""
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(MICROSECONDS[step], "us")


def hourly(seed: int, count: int = 748, noise: float = 0.05) -> Array:
    """Positive, with a profile of the day that is weaker on two days of the week, a level that drifts, and noise."""
    chance = np.random.default_rng(seed)
    hours = np.arange(count)
    daily = np.convolve(np.tile(chance.normal(size=24), 3), np.hanning(9), "same")[24:48]
    weekly = np.where(np.arange(7) >= 5, chance.uniform(0.4, 0.8), 1.0)
    load = 1 + 0.3 * daily[hours % 24] / daily.std() * weekly[hours // 24 % 7] + 0.3 * weekly[hours // 24 % 7]
    drift = np.exp(np.cumsum(chance.normal(scale=0.002, size=count)))
    return np.asarray(1000 * np.clip(load, 0.1, None) * drift * np.exp(autoregressive(chance, count, 0.6) * noise))


def weekly(seed: int, count: int = 273) -> Array:
    """A yearly wave over a random walk."""
    chance = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * (np.arange(count) / 52 + chance.random())) * chance.uniform(3, 8)
    return np.asarray(50 + wave + np.cumsum(chance.normal(scale=0.3, size=count)) + chance.normal(size=count))


def random_walk(seed: int, count: int) -> Array:
    return np.asarray(100 + np.cumsum(np.random.default_rng(seed).normal(size=count)))


def autoregressive(chance: np.random.Generator, count: int, persistence: float) -> Array:
    """Normal noise of deviation about 1 in which each value keeps a share of the one before."""
    made, last = np.empty(count), 0.0
    for place, shock in enumerate(chance.normal(size=count) * np.sqrt(1 - persistence**2)):
        last = persistence * last + shock
        made[place] = last
    return made
