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

import numpy as np

from analysis.columns import Array
from analysis.tails import outliers_of

# The largest values that the tail is fitted to: fewer tell nothing of its shape, more reach into the body.
_LEAST, _MOST, _SHARE = 12, 400, 0.1
_THETAS = np.concatenate([np.geomspace(1e-3, 30.0, 40), np.geomspace(1e-3, 1.0, 14)])
_FALLING = 40
# A tail may end, but not closer than this share of the largest excess beyond it.
_SHORTEST = 0.85
_REACHES = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 90)])
# A largest value so many times the sixth is looked at: a few of an incident are no part of the tail.
_SUSPECT, _SURE = 1.8, 1e-3


def upper_limit(values: Array, rate: float) -> float:
    """The value that the next one is above with chance `rate` (0 to 0.5), from values centred near 0, without NaN.

    A few that stand out of the tail of the others are left out. Infinite where there are too few to tell.
    """
    count = len(values)
    reach = min(int(np.clip(_SHARE * count, _LEAST, _MOST)), count // 3)
    if reach < _LEAST:
        return math.inf
    top = np.sort(np.partition(values, count - reach - 1)[count - reach - 1 :])[::-1]
    strange = _strange(values, top)
    threshold = float(top[-1])
    excesses = top[strange:] - threshold
    excesses = excesses[excesses > 0]
    if rate * count >= len(excesses):
        return float(np.quantile(values, 1.0 - rate))
    if len(excesses) < _LEAST:
        return _of_few(excesses, threshold, count, rate)
    return threshold + _reach(excesses, rate * count / len(excesses))


def _strange(values: Array, top: Array) -> int:
    """How many of the largest are no part of the tail."""
    if not (top[5] > 0 and top[0] > _SUSPECT * top[5]):
        return 0
    found = outliers_of(values[values > 0])
    if found is None or found.p > _SURE:
        return 0
    return min(len(found.rows), len(top) - _LEAST - 1)


def _of_few(excesses: Array, threshold: float, count: int, rate: float) -> float:
    """Where hardly any value is above the others nothing tells a tail: as if it fell with the square of the reach."""
    if not len(excesses):
        return threshold
    return threshold + float(excesses[0]) * max(1.0, math.sqrt((len(excesses) + 1) / (count * rate)))


def _reach(excesses: Array, share: float) -> float:
    """The excess that a share of excesses is beyond, by the predictive distribution."""
    count, scale, largest = len(excesses), float(excesses.mean()), float(excesses[0])
    thetas = _THETAS.copy()
    thetas[_FALLING:] *= -_SHORTEST * scale / largest
    order = np.argsort(thetas)
    thetas = thetas[order]
    sums = np.log1p(np.outer(thetas, excesses / scale)).sum(axis=1)
    likelihood = count * np.log(np.abs(thetas) / np.abs(sums)) - sums
    # Before any value is seen, a tail like the exponential is likeliest, as theta's prior weighs its logarithm.
    weights = np.exp(likelihood - likelihood.max()) * np.gradient(thetas) / (0.02 + np.abs(thetas))
    weights /= weights.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = 1.0 + np.outer(thetas, _REACHES)
        chances = (1.0 + np.log(np.maximum(inside, 1e-300)) / sums[:, None]) ** -count
    survival = weights @ np.where(inside <= 0, 0.0, chances)
    logs = np.log(np.maximum(survival, 1e-300))
    return scale * float(np.interp(-math.log(share), -logs, _REACHES))
