"""How far values reach at a stated rate, beyond what has been seen of them.

A rate of one in ten thousand is seldom seen in a few thousand values. Excesses over a high threshold follow a
generalised Pareto distribution (Pickands 1975; Balkema and de Haan 1974), in which log(1 + theta x) is exponential. The
limit told is that of the *predictive* distribution: the next value's, with theta averaged over its profile likelihood
and the exponential's mean integrated out, so that the rate is kept on average over what the history may have been.
Siffer et al. (2017), "Anomaly detection in streams with extreme value theory", take the likeliest parameters alone,
which promises too much of short histories.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

# The largest values that the tail is fitted to: fewer tell nothing of its shape, more reach into the body.
_LEAST, _MOST, _SHARE = 12, 250, 0.08
_LEAST_FIT = 25
# Shapes: theta is in units of the mean excess. Rising ones are of tails heavier than the exponential, the others of
# tails that end, but not closer than a share of the largest excess beyond it.
_RISING = 40
_SHORTEST = 0.85
_THETAS = np.concatenate([np.geomspace(1e-3, 30.0, _RISING), np.geomspace(1e-3, 1.0, 14)])
_WIDTHS = np.concatenate([np.gradient(_THETAS[:_RISING]), np.gradient(_THETAS[_RISING:])])
_PRIOR = 0.4
# Shapes beyond it are unlikelier still: of such tails not even the variance exists.
_HEAVY = 1.0
# Beyond it the excesses of a tail are not taken for those of one distribution. It is a low bar (1 in 10 that are, since
# the shape is fitted to them): a limit from fewer is safe.
_MISFIT = 0.9
_FURTHEST = 6.0
_REACHES = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 90)])
# A largest value so many times the sixth is looked at: a few of an incident are no part of the tail.
_SUSPECT, _SURE = 1.8, 1e-3


def upper_limit(values: Array, rate: float) -> float:
    """The value that the next one is above with chance `rate` (0 to 0.5), from values centred near 0, without NaN.

    A few that stand out of the tail of the others are left out. Infinite where there are too few to tell. Never further
    than so many times the largest: of tails lighter than Student's of three degrees that is far enough for a rate of
    1 in 20,000 from a hundred values on, and a limit of thousands helps nobody.
    """
    count = len(values)
    reach = min(int(np.clip(_SHARE * count, _LEAST, _MOST)), count // 3)
    if reach < _LEAST:
        return math.inf
    top = np.sort(np.partition(values, count - reach - 1)[count - reach - 1 :])[::-1]
    top = top[_strange(top) :]
    furthest = _FURTHEST * max(float(top[0]), 0.0)
    if rate * count >= len(top) - 1:
        return float(np.quantile(values, 1.0 - rate))
    while True:
        threshold = float(top[-1])
        excesses = top[:-1] - threshold
        excesses = excesses[excesses > 0]
        if len(excesses) < _LEAST:
            return min(furthest, _of_few(excesses, threshold, count, rate))
        tail = _Tail.of(excesses, _run_length(values, threshold))
        # A second population, such as spikes on a quiet series, begins within the tail: further up it is alone.
        if tail.misfit < _MISFIT or len(excesses) < 2 * _LEAST_FIT:
            return min(furthest, threshold + tail.reach(rate * count / len(excesses)))
        top = top[: len(top) // 2 + 1]


def _run_length(values: Array, threshold: float) -> float:
    """How many values that follow each other are beyond the threshold together: they tell of its tail but once."""
    beyond = values > threshold
    runs = int(beyond[0]) + int(np.count_nonzero(beyond[1:] & ~beyond[:-1]))
    return float(np.count_nonzero(beyond)) / max(runs, 1)


def _strange(top: Array) -> int:
    """How many of the largest are no part of the tail: those above the widest gap, if the tail of the others would
    hardly ever reach so far. `top` falls."""
    if len(top) < 2 * _LEAST or not top[0] - top[-1] > _SUSPECT * (top[5] - top[-1]):
        return 0
    above = top[: _LEAST + 1] - top[-1]
    number = int(np.argmax(above[:-1] / np.maximum(above[1:], 1e-300))) + 1
    rest = top[number:-1] - top[-1]
    rest = rest[rest > 0]
    if len(rest) < _LEAST or not above[number - 1] > rest[0]:
        return 0
    return number if len(top) * _Tail.of(rest).beyond(float(above[number - 1])) < _SURE else 0


def _of_few(excesses: Array, threshold: float, count: int, rate: float) -> float:
    """Where hardly any value is above the others nothing tells a tail: as if it fell with the square of the reach."""
    if not len(excesses):
        return threshold
    return threshold + float(excesses[0]) * max(1.0, math.sqrt((len(excesses) + 1) / (count * rate)))


@dataclass(frozen=True, slots=True, eq=False)
class _Tail:
    """The predictive distribution of excesses: weights of thetas, and the sum of log(1 + theta x) for each.

    `misfit` is Kolmogorov and Smirnov's distance from the likeliest, times the root of the number.
    """

    count: float
    scale: float
    thetas: Array
    sums: Array
    weights: Array
    misfit: float

    @classmethod
    def of(cls, excesses: Array, alike: float = 1.0) -> _Tail:
        """`excesses` fall, and are above 0; `alike` of them count as one."""
        count, scale = len(excesses), float(excesses.mean())
        thetas = _THETAS.copy()
        thetas[_RISING:] *= -_SHORTEST * scale / float(excesses[0])
        logs = np.log1p(np.outer(thetas, excesses / scale))
        sums = logs.sum(axis=1)
        likelihood = count * np.log(np.abs(thetas) / np.abs(sums)) - sums
        # Before any value is seen a tail like the exponential's is likeliest, as theta's prior weighs its logarithm.
        widths = _WIDTHS.copy()
        widths[_RISING:] *= _SHORTEST * scale / float(excesses[0])
        weights = np.exp((likelihood - likelihood.max()) / alike) * widths / (_PRIOR + np.abs(thetas))
        weights *= np.exp(-0.5 * np.maximum(sums / count / _HEAVY, 0.0) ** 2)
        best = int(np.argmax(likelihood))
        beyond = np.exp(-logs[best] * count / sums[best])
        misfit = float(np.max(np.abs(beyond - (np.arange(count) + 0.5) / count))) * math.sqrt(count / alike)
        return cls(count / alike, scale, thetas, sums / alike, weights / weights.sum(), misfit)

    def reach(self, share: float) -> float:
        """The excess that this share of excesses is beyond."""
        logs = np.log(np.maximum(self._survival(_REACHES), 1e-300))
        return self.scale * float(np.interp(-math.log(share), -logs, _REACHES))

    def beyond(self, excess: float) -> float:
        """The share of excesses beyond that."""
        return float(self._survival(np.array([excess / self.scale]))[0])

    def _survival(self, excesses: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = 1.0 + np.outer(self.thetas, excesses)
            chances = (1.0 + np.log(np.maximum(inside, 1e-300)) / self.sums[:, None]) ** -self.count
        return np.asarray(self.weights @ np.where(inside <= 0, 0.0, chances))
