"""Outliers: values beyond a gap that the tail of the others does not explain, however heavy that tail is.

Rules of a fixed distance (three sigma, one and a half quartile ranges) find outliers in every table of log-normal or
Student values. Here the tail is fitted first, and the p-value is averaged over what shape it may have.

- Of fewer than 2,000 distances, all of them say how heavy the tail is: a Student distribution, from Cauchy's and
  heavier to the normal one. The m largest count as no larger than the next.
- Of more, the largest tell for themselves: excesses over a high threshold follow a generalised Pareto distribution
  (Pickands 1975; Balkema and de Haan 1974), in which log(1 + theta x) is exponential, so that the gap above the m-th
  largest has an exact p-value given theta (Renyi's representation). Theta is averaged over with the weights of its
  profile likelihood, as Zhang and Stephens (2009) do; the m largest count as censored there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.significance import mid_ranks

# Excesses that the tail is fitted to: fewer tell nothing of its shape, more reach into the body.
_LEAST, _MOST = 20, 300
_MANY = 2_000
_TAIL_SHARE = 0.15
# More than this share of the values are no outliers but a second population.
_MOST_OUTLIERS = 0.02
_GRID = 40
# So many outliers and fewer are looked for one by one, more only at the widest gaps.
_FEW = 8
# Theta from here, over the largest excess, to beyond that of a Cauchy tail. A tail with an end near its largest value
# would make an outlier of anything beyond: a uniform column has none.
_SHORTEST = 0.3
# Fewer different values and the gaps are those of a scale of counts: jitter fills them.
_LEAST_DISTINCT, _DISTINCT_ENOUGH = 5, 200
# Degrees of freedom of the Student distributions.
_DEGREES = np.array([0.4, 0.7, 1.0, 1.4, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 24.0, 50.0, 200.0])
# Before any value is seen, light tails are likelier; against it 50 values do.
_PRIOR = np.array([0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0])


@dataclass(frozen=True, slots=True, eq=False)
class Outliers:
    """`rows` are indices of the outliers, the furthest first; `limit` is the outermost of the others."""

    rows: Array
    limit: float
    p: float


def outliers_above(values: Array, *, seed: int = 0) -> Outliers | None:
    """The likeliest outliers at the upper end, whatever their p; None where the tail cannot be judged.

    The upper half is what they are measured by, so that a skewed column's other side does not matter. NaN are no
    values; `limit` is a value. `p` is corrected for the choice of how many there are.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    middle = float(np.median(known))
    found = outliers_of(np.where(values > middle, values - middle, np.nan), seed=seed)
    return None if found is None else Outliers(found.rows, found.limit + middle, found.p)


def outliers_of(distances: Array, *, seed: int = 0) -> Outliers | None:
    """The likeliest outliers among distances from a centre (positive; NaN and 0 are none)."""
    present = np.flatnonzero(distances > 0)
    numbers = distances[present]
    if len(numbers) < 2 * _LEAST:
        return None
    most = max(1, int(_MOST_OUTLIERS * len(numbers)))
    distinct = _largest_distinct(numbers, most)
    if len(distinct) < _LEAST_DISTINCT:
        return None
    is_lattice = len(distinct) < min(_DISTINCT_ENOUGH, len(numbers))
    shown = _jittered(numbers, distinct, seed) if is_lattice else distinct
    chances = _by_student(shown, most) if len(shown) < _MANY else _by_pareto(shown, most, is_lattice)
    p, number = min(((min(1.0, chance * m * (m + 1)), m) for m, chance in chances), default=(1.0, 0))
    if not number:
        return None
    limit = float(np.partition(shown, len(shown) - number - 1)[len(shown) - number - 1])
    beyond = np.flatnonzero((shown if is_lattice else numbers) > limit)
    order = np.argsort(numbers[beyond], kind="stable")[::-1]
    return Outliers(present[beyond[order]], float(np.delete(numbers, beyond).max()), p)


def _largest_distinct(numbers: Array, most: int) -> Array:
    """The different values, rising; of many that do not repeat much only the largest, more than the tail takes."""
    wanted = 4 * (most + _MOST) + _MANY
    if len(numbers) <= 2 * wanted or len(np.unique(numbers[:_MANY])) < _DISTINCT_ENOUGH:
        return np.unique(numbers)
    top = np.unique(np.partition(numbers, len(numbers) - wanted)[len(numbers) - wanted :])
    return top if len(top) >= _MANY else np.unique(numbers)


def _jittered(numbers: Array, distinct: Array, seed: int) -> Array:
    """With noise as wide as the smallest step, so that counts and grades have gaps like any other values."""
    step = float(np.min(np.diff(distinct)))
    return np.abs(numbers + np.random.default_rng(seed).uniform(-0.5, 0.5, len(numbers)) * step)


def _by_student(shown: Array, most: int) -> list[tuple[int, float]]:
    """(m, the chance that the m-th largest is as large), for each m that may be the number of outliers."""
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    ordered = np.sort(shown)[::-1]
    count = len(ordered)
    found = []
    for m in _promising(ordered, most):
        cut = np.minimum(ordered, ordered[m])
        scales = _student_scales(cut)
        standard = (cut[None, :] / scales[:, None]) ** 2 / _DEGREES[:, None]
        halves = (_DEGREES + 1.0) / 2.0
        likelihood = count * (
            special.gammaln(halves) - special.gammaln(_DEGREES / 2.0) - 0.5 * np.log(_DEGREES) - np.log(scales)
        ) - halves * np.log1p(standard).sum(axis=1)
        weights = _PRIOR * np.exp(likelihood - likelihood.max())
        beyond = 2.0 * special.stdtr(_DEGREES, -ordered[m - 1] / scales)
        chances = special.bdtrc(m - 1, count, np.minimum(beyond, 1.0))
        found.append((m, float(weights @ chances / weights.sum())))
    return found


def _student_scales(distances: Array) -> Array:
    """By degrees of freedom, of most likelihood: some rounds of reweighted least squares."""
    squares = distances**2
    scales = np.full(len(_DEGREES), float(np.median(squares)) / 0.4549)
    for _ in range(15):
        weights = (_DEGREES[:, None] + 1.0) / (_DEGREES[:, None] + squares[None, :] / scales[:, None])
        scales = np.maximum((weights * squares).mean(axis=1), 1e-300)
    return np.asarray(np.sqrt(scales))


def _by_pareto(shown: Array, most: int, is_lattice: bool) -> list[tuple[int, float]]:
    excesses = int(np.clip(_TAIL_SHARE * len(shown), _LEAST, _MOST))
    reach = min(most + excesses + 1, len(shown))
    top = np.sort(np.partition(shown, len(shown) - reach)[len(shown) - reach :])[::-1]
    shortest = 0.0 if is_lattice else _SHORTEST
    return [(m, _gap_p(top, m, excesses, shortest)) for m in _promising(top, most)]


def _promising(top: Array, most: int) -> list[int]:
    """How many outliers there may be: the places of the widest gaps beside those below them."""
    gaps = top[:-1] - top[1:]
    most = min(most, len(gaps) - _LEAST)
    if most < 1:
        return []
    ratio = np.arange(1, most + 1) * gaps[:most] / np.maximum(top[:most] - top[-1], 1e-300)
    few = np.argsort(ratio)[::-1][:4] + 1
    return sorted({*range(1, _FEW + 1), *few.tolist()} & set(range(1, most + 1)))


def _gap_p(top: Array, m: int, excesses: int, shortest: float) -> float:
    """Of the gap between the m-th and the next largest; `top` falls."""
    threshold = float(top[min(m + excesses, len(top) - 1)])
    below = top[m : m + excesses] - threshold
    below = below[below > 0]
    count = len(below)
    if count < _LEAST // 2:
        return 1.0
    scale = float(below.mean())
    largest, tested = float(below[0]) / scale, float(top[m - 1] - threshold) / scale
    below = below / scale
    if tested <= largest:
        return 1.0
    ending = np.linspace(-shortest / largest, -1e-3, _GRID // 3) if shortest else np.zeros(0)
    thetas = np.r_[ending, np.geomspace(1e-3, 30.0, _GRID)]
    logs = np.log1p(np.outer(thetas, below))
    sums = logs.sum(axis=1) + m * logs[:, 0]
    shape = sums / count
    likelihood = count * np.log(np.abs(thetas) / np.abs(shape)) - logs.sum(axis=1) - count
    weights = np.exp(likelihood - likelihood.max()) * np.gradient(thetas)
    weights /= weights.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond_end = 1.0 + thetas * tested <= 0
        gap = m * (np.log1p(np.where(beyond_end, 0.0, thetas) * tested) - logs[:, 0])
        chances = np.where(beyond_end, 0.0, np.exp(-count * np.log1p(np.maximum(gap / sums, 0.0))))
    return float(np.clip(weights @ chances, 0.0, 1.0))


def robust_z(values: Array) -> Array:
    """Distances from the median in robust standard deviations: half of the values' by the median distance above, half
    below, so that a skewed column's longer side counts for what it is. 0 where a side has no spread."""
    middle = float(np.nanmedian(values))
    distance = values - middle
    z = np.zeros(len(values))
    for side in (distance > 0, distance < 0):
        spread = 1.4826 * float(np.median(np.abs(distance[side]))) if side.any() else 0.0
        if spread > 0:
            z[side] = distance[side] / spread
    return z


def ranks_of(values: Array) -> Array:
    """Mid-ranks scaled to -1..1 with mean 0; NaN become 0."""
    present = ~np.isnan(values)
    ranks = np.zeros(len(values))
    count = int(np.count_nonzero(present))
    if count:
        ranks[present] = (2.0 * mid_ranks(values[present]) - count - 1.0) / count
    return ranks
