"""How surprising a figure is by chance: tail probabilities that stay right far out, and the correction for many tries.

All of them answer P(chance does at least this), between 0 and 1. They are thin covers of scipy.special, which loads
in a quarter of a second where scipy.stats takes two.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array


def two_sided_t(statistic: float, degrees: float) -> float:
    """Student's t beyond `statistic` on either side; 1 where nothing can be said."""
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    if not math.isfinite(statistic) or degrees < 1:
        return 1.0 if not math.isinf(statistic) or degrees < 1 else 0.0
    return _probability(2.0 * special.stdtr(degrees, -abs(statistic)))


def two_sided_normal(statistic: float) -> float:
    return 1.0 if math.isnan(statistic) else math.erfc(abs(statistic) / math.sqrt(2.0))


def upper_f(statistic: float, between: float, within: float) -> float:
    """F with these degrees of freedom above `statistic`."""
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    if between < 1 or within < 1 or math.isnan(statistic):
        return 1.0
    return _probability(special.fdtrc(between, within, max(statistic, 0.0)))


def upper_chi_square(statistic: float, degrees: float) -> float:
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    return _probability(special.chdtrc(degrees, max(statistic, 0.0))) if degrees >= 1 else 1.0


def lower_chi_square(statistic: float, degrees: float) -> float:
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    return _probability(special.chdtr(degrees, max(statistic, 0.0))) if degrees >= 1 else 1.0


def upper_binomial(hits: int, tries: int, share: float) -> float:
    """At least `hits` of `tries` where each hits with probability `share`."""
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    return _probability(special.bdtrc(hits - 1, tries, share)) if hits > 0 else 1.0


def upper_hypergeometric(both: int, rows: int, first: int, second: int) -> float:
    """At least `both` rows in common where one set of `first` and one of `second` rows are drawn from `rows`."""
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    most = min(first, second)
    if both <= max(0, first + second - rows):
        return 1.0
    if both > most:
        return 0.0
    common = np.arange(both, min(most, both + 5000) + 1, dtype=np.float64)  # further out adds nothing
    log = _log_choose(first, common) + _log_choose(rows - first, second - common) - _log_choose(rows, np.array(second))
    return _probability(np.exp(special.logsumexp(log)))


def _log_choose(of: int, taken: Array) -> Array:
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    chosen: Array = special.gammaln(of + 1) - special.gammaln(taken + 1) - special.gammaln(of - taken + 1)
    return chosen


def upper_signs(statistic: float) -> float:
    """A sum of numbers with random signs, over the root of the sum of their squares, beyond `statistic`.

    Holds for any numbers, however heavy their tails: Bentkus and Dzindzalieta (2015), "A tight Gaussian bound for
    weighted sums of Rademacher random variables", bound it by 3.178 times the normal tail.
    """
    if math.isnan(statistic) or statistic <= 0:
        return 1.0
    return min(1.0, 3.178 * 0.5 * math.erfc(statistic / math.sqrt(2.0)))


def normal_scores(values: Array) -> Array:
    """Standard normal quantiles of the mid-ranks: whatever the values' distribution, these have no tails. NaN stays."""
    from scipy import special  # noqa: PLC0415 - loaded when an analysis runs

    scores = np.full(len(values), np.nan)
    present = ~np.isnan(values)
    count = int(np.count_nonzero(present))
    if count:
        scores[present] = special.ndtri((mid_ranks(values[present]) - 0.5) / count)
    return scores


def mid_ranks(values: Array) -> Array:
    """Ranks from 1, equal values with the mean of theirs; without NaN."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_first = np.r_[True, ordered[1:] != ordered[:-1]] if len(values) else np.zeros(0, dtype=np.bool_)
    starts = np.flatnonzero(is_first)
    ends = np.r_[starts[1:], len(values)]
    ranks = np.empty(len(values))
    ranks[order] = ((starts + ends + 1) / 2.0)[np.cumsum(is_first) - 1]
    return ranks


def adjusted(probabilities: Array, tests: float | None = None) -> Array:
    """q-values by Benjamini and Hochberg (1995): the false discovery rate at which each would just be told.

    `tests`: how many were done, those without a probability of their own included; times a factor where they depend.
    """
    count = len(probabilities)
    tests = count if tests is None else tests
    order = np.argsort(probabilities, kind="stable")[::-1]
    steps = np.minimum.accumulate(probabilities[order] * tests / np.arange(count, 0, -1))
    q_values = np.empty(count)
    q_values[order] = np.minimum(steps, 1.0)
    return q_values


def _probability(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)
