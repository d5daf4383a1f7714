"""Series with labelled anomalies of the Numenta benchmark's kinds, from seeds, and that benchmark's own from a folder.

Each made series is an undisturbed one of a kind (artificial days, machines, advertising, traffic, mentions) and, in
most, one to three disturbances at random times after the part that is only learned from. A label is a window about the
disturbance, as Numenta's are: a tenth of the series, divided among its anomalies.
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.columns import Array

MINUTE_MS = 60_000
_START_MS = 1_400_000_400_000
# What is only learned from: the rule of the Numenta benchmark.
PROBATION_SHARE, PROBATION_MOST = 0.15, 750
_WINDOWS_SHARE = 0.1
# Of a series' usual range: a smaller change is not seen.
_SHOWS = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """`windows` are (first, last) places; `starts` where each disturbance really begins (made series only)."""

    name: str
    group: str
    at_ms: Array
    values: Array
    windows: tuple[tuple[int, int], ...]
    starts: tuple[int, ...] = ()

    @property
    def probation(self) -> int:
        """How many of the first values are not judged."""
        return min(int(PROBATION_SHARE * len(self.values)), PROBATION_MOST)


Rng = np.random.Generator
Make = Callable[[Rng, int, int], Array]


def _hours(n: int, step: int) -> Array:
    return np.arange(n) * step / 60.0


def _correlated(rng: Rng, n: int, memory: float) -> Array:
    from scipy.signal import lfilter  # noqa: PLC0415

    noise = rng.standard_normal(n + 400)
    made = lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], noise)
    return np.asarray(made[400:], dtype=np.float64)


def square_days(rng: Rng, n: int, step: int) -> Array:
    """Low by night, high from nine to six, with little noise."""
    hour = _hours(n, step) % 24
    noise = float(rng.choice([0.5, 1.0, 4.0]))
    return np.where((hour >= 9) & (hour < 18), 80.0, 20.0) + rng.uniform(-2.0, 2.0, n) * noise


def still(rng: Rng, n: int, _step: int) -> Array:
    """One value, or noise about it."""
    return np.full(n, 45.0) + rng.normal(0.0, rng.choice([0.0, 1.0, 5.0]), n)


def spiky(rng: Rng, n: int, _step: int) -> Array:
    """A load balancer: quiet, with spikes of many heights."""
    return rng.gamma(2.0, 10.0, n) * (rng.random(n) < 0.04) + rng.exponential(0.4, n)


def processor(rng: Rng, n: int, _step: int) -> Array:
    """A machine's load in percent: wandering a little, with short jobs, rounded."""
    level = rng.uniform(2.0, 60.0)
    made = level * (1.0 + 0.08 * _correlated(rng, n, rng.uniform(0.3, 0.97)) + 0.03 * rng.standard_normal(n))
    jobs = rng.random(n) < rng.uniform(0.0, 0.01)
    return np.round(np.clip(made + jobs * rng.uniform(0.2, 0.6, n) * level, 0.0, 100.0), 3)


def network(rng: Rng, n: int, step: int) -> Array:
    """Bytes of a machine: heavy tails, a little of the day in them."""
    hour = _hours(n, step)
    day = 1.0 + rng.uniform(0.0, 0.5) * np.sin(2 * np.pi * (hour / 24 + rng.random()))
    return np.round(rng.lognormal(12.0, rng.uniform(0.1, 0.7), n) * day)


def requests(rng: Rng, n: int, step: int) -> Array:
    """Counts of requests through days and weeks."""
    hour = _hours(n, step)
    day = (
        1.0
        + 0.7 * np.sin(2 * np.pi * (hour / 24 + rng.random()))
        + 0.2 * np.sin(4 * np.pi * (hour / 24 + rng.random()))
    )
    week = np.where((hour // 24) % 7 >= 5, rng.uniform(0.5, 0.9), 1.0)
    mean = np.maximum(rng.uniform(10.0, 120.0) * day * week, 0.5)
    return rng.poisson(mean * rng.gamma(20.0, 1 / 20.0, n)).astype(np.float64)


def advertising(rng: Rng, n: int, step: int) -> Array:
    """Prices by the hour, with a day's round and skewed noise."""
    hour = _hours(n, step)
    return 0.1 * np.exp(0.2 * np.sin(2 * np.pi * (hour / 24 + rng.random())) + 0.25 * _correlated(rng, n, 0.5))


def temperature(rng: Rng, n: int, _step: int) -> Array:
    """A machine or a room: slow wandering, and fine noise."""
    return 75.0 + 4.0 * _correlated(rng, n, 0.998) + 1.0 * _correlated(rng, n, 0.8) + rng.normal(0.0, 0.3, n)


def passengers(rng: Rng, n: int, step: int) -> Array:
    """Journeys each half hour, with the shape of days and weeks."""
    hour = _hours(n, step)
    day = 1.0 + 0.6 * np.sin(2 * np.pi * (hour - 10) / 24) + 0.25 * np.sin(4 * np.pi * (hour - 7) / 24)
    week = 1.0 + 0.15 * np.sin(2 * np.pi * hour / 168)
    return np.round(15_000.0 * day * week * (1.0 + 0.05 * _correlated(rng, n, 0.8)))


def speeds(rng: Rng, n: int, step: int) -> Array:
    """Of cars on a road: a limit that is nearly kept, and jams at rush hours of working days."""
    hour = _hours(n, step)
    rush = np.exp(-0.5 * ((hour % 24 - 17) / 1.2) ** 2) * ((hour // 24) % 7 < 5)
    return np.round(np.clip(66.0 - 15.0 * rush * rng.gamma(4.0, 0.25, n) + 3.0 * _correlated(rng, n, 0.6), 5.0, 80.0))


def mentions(rng: Rng, n: int, step: int) -> Array:
    """Of a firm each five minutes: few, in bursts, fewer by night."""
    hour = _hours(n, step)
    mean = rng.uniform(2.0, 30.0) * (1.0 + 0.6 * np.sin(2 * np.pi * (hour / 24 + rng.random())))
    burst = np.exp(0.5 * _correlated(rng, n, 0.9))
    return rng.negative_binomial(4.0, 4.0 / (4.0 + mean * burst)).astype(np.float64)


# (chance, values, where, a day's values, how many) -> None: changes the values.
Disturb = Callable[[Rng, Array, int, int, int], None]


def _size(values: Array) -> float:
    low, high = np.quantile(values, [0.02, 0.98])
    return max(float(high - low), 0.05 * abs(float(np.median(values))), 1e-9)


def spike(rng: Rng, values: Array, at: int, _day: int, _lasts: int) -> None:
    """One to three values far off."""
    length = int(rng.integers(1, 4))
    sign = 1.0 if rng.random() < 0.8 or values.min() >= 0 else -1.0
    values[at : at + length] += sign * rng.uniform(1.0, 4.0) * _size(values)


def jump(rng: Rng, values: Array, at: int, _day: int, lasts: int) -> None:
    """Another level for a while."""
    values[at : at + lasts] += rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.5) * _size(values)


def flat(rng: Rng, values: Array, at: int, day: int, lasts: int) -> None:
    """Stuck at one value of the last day."""
    values[at : at + lasts] = float(rng.choice(values[max(0, at - day) : at]))


def missing_peak(_rng: Rng, values: Array, at: int, day: int, lasts: int) -> None:
    """A day that stays at its low."""
    length = max(lasts, day // 2)
    values[at : at + length] = np.minimum(values[at : at + length], np.quantile(values, 0.15))


def louder(rng: Rng, values: Array, at: int, _day: int, lasts: int) -> None:
    """More noise."""
    noise = 1.4826 * float(np.median(np.abs(np.diff(values)))) + 0.02 * _size(values)
    values[at : at + lasts] += rng.normal(0.0, rng.uniform(3.0, 6.0) * noise, min(lasts, len(values) - at))


def drift(rng: Rng, values: Array, at: int, day: int, lasts: int) -> None:
    """Away by degrees, then back at once."""
    length = min(max(lasts, day // 2), len(values) - at)
    values[at : at + length] += (
        rng.choice([-1.0, 1.0]) * rng.uniform(1.0, 2.0) * _size(values) * np.linspace(0, 1, length)
    )


def more_spikes(rng: Rng, values: Array, at: int, day: int, lasts: int) -> None:
    """Spikes of the usual height, but far more of them."""
    length = min(max(lasts, day // 2), len(values) - at)
    values[at : at + length] += (rng.random(length) < 0.25) * rng.uniform(0.7, 1.1, length) * _size(values)


# (group, how it is made, its step in minutes, how long, what may happen to it), each as often as in Numenta's corpus.
_ALL: tuple[Disturb, ...] = (spike, spike, jump, flat, louder, drift)
_KINDS: tuple[tuple[str, Make, int, int, tuple[Disturb, ...], int], ...] = (
    ("artificial, undisturbed", square_days, 5, 4032, (), 3),
    ("artificial, undisturbed", still, 5, 4032, (), 2),
    ("artificial", square_days, 5, 4032, (flat, jump, missing_peak, jump), 4),
    ("artificial", spiky, 5, 4032, (more_spikes, jump), 2),
    ("machines", processor, 5, 4032, _ALL, 9),
    ("machines", network, 5, 4032, (spike, jump, louder), 5),
    ("machines", requests, 5, 4032, (spike, jump, missing_peak, drift), 3),
    ("advertising", advertising, 60, 1600, (spike, jump, spike), 6),
    ("known causes", temperature, 5, 12_000, (jump, drift, spike), 3),
    ("known causes", passengers, 30, 10_320, (missing_peak, flat, spike), 2),
    ("known causes", processor, 5, 10_000, _ALL, 2),
    ("traffic", speeds, 10, 2500, (spike, jump, flat), 7),
    ("mentions", mentions, 5, 15_800, (spike, jump), 10),
)


def made(seed: int) -> Iterator[Labelled]:
    """58 series, of the kinds and about the lengths of Numenta's."""
    for place, (group, make, step, length, disturbances, number) in enumerate(_KINDS):
        for each in range(number):
            rng = np.random.default_rng([seed, place, each])
            yield _one(rng, f"{make.__name__} {each + 1}", group, make(rng, length, step), step, disturbances)


def _one(rng: Rng, name: str, group: str, values: Array, step: int, disturbances: tuple[Disturb, ...]) -> Labelled:
    count, day = len(values), 24 * 60 // step
    at_ms = _START_MS + np.arange(count, dtype=np.int64) * step * MINUTE_MS
    number = int(rng.integers(1, 4)) if disturbances else 0
    width = int(_WINDOWS_SHARE * count / max(number, 1))
    # One in each equal part of what is judged, away from the ends, so that windows do not overlap.
    borders = np.linspace(max(int(0.2 * count), 3 * day if 6 * day < count else 0), count, number + 1)
    starts, windows = [], []
    for low, high in zip(borders[:-1].astype(int).tolist(), borders[1:].astype(int).tolist(), strict=True):
        at = int(rng.integers(low + width // 2 + 1, max(low + width // 2 + 2, high - width // 2 - 1)))
        lasts = int(rng.integers(max(3, width // 10), max(4, width // 2)))
        before = values.copy()
        disturbances[int(rng.integers(len(disturbances)))](rng, values, at, day, min(lasts, count - at))
        # It begins where it shows: by night nobody misses the day's peak.
        changed = np.abs(values - before)
        at = int(np.argmax(changed > min(_SHOWS * _size(before), 0.5 * float(changed.max()))))
        starts.append(at)
        windows.append((max(0, at - width // 2), min(count - 1, at + width // 2)))
    return Labelled(name, group, at_ms, values, tuple(windows), tuple(starts))


def numenta(folder: Path) -> Iterator[Labelled]:
    """The series of a copy of the Numenta Anomaly Benchmark: `data/*/*.csv` with the columns timestamp and value, and
    `labels/combined_windows.json`. Raises FileNotFoundError where the folder is not one."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    for path in sorted((folder / "data").glob("*/*.csv")):
        name = f"{path.parent.name}/{path.name}"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        at_ms = np.array([_ms(row["timestamp"]) for row in rows], dtype=np.int64)
        order = np.argsort(at_ms, kind="stable")
        at_ms, values = at_ms[order], np.array([float(row["value"]) for row in rows])[order]
        windows = tuple(
            (int(np.searchsorted(at_ms, _ms(first))), int(np.searchsorted(at_ms, _ms(last), "right")) - 1)
            for first, last in labels.get(name, [])
        )
        yield Labelled(name, path.parent.name, at_ms, values, windows)


def _ms(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp() * 1000)
