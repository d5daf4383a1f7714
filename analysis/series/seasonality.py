"""Seasonal periods of a series: candidates of the calendar and of its own spectrum, each put to two tests.

One is the autocorrelation of the detrended series at that lag, against that of white noise. The other compares
the periodogram at the period's harmonics with what stands beside them: slow wandering and autoregressive noise have
much power, but as much at the neighbouring frequencies, so they are no season. The p-value told is the second's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.series.decomposition import PERIODIC, decompose
from analysis.series.loess import smoothed
from analysis.series.regular import interpolated

# Of the normal distribution, two-sided 90 %, as in the M4 competition.
_QUANTILE = 1.645
_MOST_PEAKS = 3
# A searched season that explains less of the variation than this is of no use to anybody.
_LEAST_STRENGTH = 0.05
_FIRST_HARMONICS = 4
_ABOUT_AS_HIGH = 0.8
# Beyond so many robust deviations from the median a value is an outlier.
_MOST_DEVIATIONS = 5.0
# Fewer cycles than this and a period cannot be told from a wave.
LEAST_CYCLES = 3
# More values than this and only the last are looked at: the tests have all the power they need.
_MOST_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class Seasonality:
    """A period in steps; how much of the variation about the trend it explains (0 to 1); the test's p-value."""

    period: int
    strength: float
    autocorrelation: float
    p_value: float


def autocorrelation(values: Array, lags: int) -> Array:
    """The sample autocorrelation at lags 0 to `lags`, biased as is usual (divided by n); zeros of a constant."""
    centred = values - values.mean()
    n = len(values)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    products = np.fft.irfft(spectrum * np.conj(spectrum), size)[: min(lags, n - 1) + 1]
    if not products[0] > 1e-300:
        return np.zeros(lags + 1)
    return np.asarray(np.concatenate([products / products[0], np.zeros(lags + 1 - len(products))]))


def m4_seasonal(values: Array, period: int) -> bool:
    """The test by which the M4 competition's benchmarks took a series for seasonal: on the raw values, at 90 %."""
    if period < 2 or len(values) < LEAST_CYCLES * period:
        return False
    acf = autocorrelation(values, period)
    return bool(abs(acf[period]) > _limit(acf, period, len(values)))


def seasonal_periods(
    values: Array, candidates: Sequence[int] = (), *, search: bool = True, level: float = 0.05, most: int = 3
) -> tuple[Seasonality, ...]:
    """The periods that pass, shortest first. `values` is float64, NaN in gaps.

    `candidates` are tested at `level` (Bonferroni over them); with `search`, so are peaks of the periodogram of what
    the candidates leave, at a hundredth of the level, since they were picked for their height. A period that is a
    multiple of another has to explain something beyond it.
    """
    series = interpolated(values[-_MOST_VALUES:])
    largest = float(np.max(np.abs(series), initial=0.0))
    if len(series) < 8 or not largest > 0:
        return ()
    series = _tamed(series / largest)
    if not np.ptp(series) > 0:
        return ()
    usable = sorted({period for period in candidates if 2 <= period <= len(series) // LEAST_CYCLES})
    found = _passing(series, usable, (), level / max(1, len(usable)))
    if search:
        known = [seasonality.period for seasonality in found]
        peaks = [peak for peak in _peaks(_without(series, known)) if peak not in usable]
        found += [extra for extra in _passing(series, peaks, known, level / 100) if extra.strength >= _LEAST_STRENGTH]
    strongest = sorted(found, key=lambda seasonality: seasonality.p_value)[:most]
    return tuple(sorted(strongest, key=lambda seasonality: seasonality.period))


def _tamed(series: Array) -> Array:
    """With outliers drawn in: a few of them, by chance evenly spaced, would hide a season or look like one."""
    middle = float(np.median(series))
    reach = _MOST_DEVIATIONS * 1.4826 * float(np.median(np.abs(series - middle)))
    return np.clip(series, middle - reach, middle + reach) if reach > 0 else series


def _passing(series: Array, periods: Sequence[int], known: Sequence[int], level: float) -> list[Seasonality]:
    found: list[Seasonality] = []
    for period in sorted(periods):
        seasonality = _tested(series, period, [*known, *(other.period for other in found)], level)
        found += [] if seasonality is None else [seasonality]
    return found


def prewhitened(values: Array, most_lags: int = 3) -> Array:
    """What an autoregression leaves of the values; its order, up to `most_lags`, by the Bayesian criterion."""
    n = len(values)
    best: Array = values - values.mean()
    best_score = math.inf
    for order in range(min(most_lags, n // 8) + 1):
        left = _left_by_autoregression(values, order)
        score = len(left) * math.log(max(float(np.mean(left**2)), 1e-300)) + (order + 1) * math.log(n)
        if score < best_score:
            best, best_score = left, score
    return best


def _left_by_autoregression(values: Array, order: int) -> Array:
    targets = values[order:]
    lags = [values[order - lag : len(values) - lag] for lag in range(1, order + 1)]
    design = np.stack([np.ones(len(targets)), *lags], axis=1)
    return np.asarray(targets - design @ np.linalg.lstsq(design, targets, rcond=None)[0])


def _limit(acf: Array, lag: int, n: int) -> float:
    """Bartlett's: above it an autocorrelation at that lag is not of chance."""
    return _QUANTILE * math.sqrt((1 + 2 * float(np.sum(acf[1:lag] ** 2))) / n)


def _detrended(series: Array, period: int) -> Array:
    """Without what is slower than two cycles."""
    span = min(len(series), 2 * period + 1) | 1
    return np.asarray(series - smoothed(series[:, None], span)[:, 0])


def _without(series: Array, periods: Sequence[int]) -> Array:
    kept = [period for period in periods if 2 * period <= len(series)]
    if not kept:
        return series
    return np.asarray(series - decompose(series, kept, seasonal_spans=[PERIODIC] * len(kept)).seasonal)


def _tested(series: Array, period: int, known: Sequence[int], level: float) -> Seasonality | None:
    rest = _without(series, known)
    detrended = _detrended(rest, period)
    if not np.std(detrended) > 1e-9:
        return None
    acf = autocorrelation(detrended, period + 1)
    if acf[period] <= _QUANTILE / math.sqrt(len(series)) or acf[period] < max(acf[period - 1], acf[period + 1]) - 0.02:
        return None
    p_value = harmonic_p_value(rest, period, known)
    if p_value > level:
        return None
    decomposed = decompose(rest, (period,), seasonal_spans=[PERIODIC])
    return Seasonality(period, decomposed.seasonal_strength(0), float(acf[period]), p_value)


def harmonic_p_value(series: Array, period: int, known: Sequence[int] = ()) -> float:
    """The chance of such power at the harmonics of `period`, beside their neighbours, in a series without it.

    Each harmonic of k whole cycles stands in a bin of its own between 2 (k - 1) others; the ratio is F distributed with
    2 and 4 (k - 1) degrees of freedom where the spectrum is smooth. Fisher's method joins the harmonics, once the
    first few (smooth seasons) and once all (spiky ones); the better of the two counts twice. Harmonics that a `known`
    period has, too, are left out.
    """
    cycles = len(series) // period
    if cycles < 2:
        return 1.0
    last = _tamed(series)[-cycles * period :]
    slope = (last[-1] - last[0]) / max(1, len(last) - 1)
    power = np.abs(np.fft.rfft(last - slope * np.arange(len(last)))) ** 2
    beside = 2 * (cycles - 1)
    sums = np.concatenate([[0.0], np.cumsum(np.where(np.arange(len(power)) % cycles == 0, 0.0, power))])
    places = [
        harmonic * cycles
        for harmonic in range(1, (period - 1) // 2 + 1)
        if not any(harmonic * other % period == 0 for other in known)
    ]
    logs = []
    for place in places:
        background = (sums[min(place + cycles, len(power))] - sums[place - cycles + 1]) / beside
        ratio = power[place] / background if background > 0 else math.inf if power[place] > 0 else 0.0
        logs.append(-beside * math.log1p(ratio / beside) if math.isfinite(ratio) else -700.0)
    if period == 2 or not logs:
        return 1.0
    return min(1.0, 2 * min(_fisher(logs[:_FIRST_HARMONICS]), _fisher(logs)))


def _fisher(logs: Sequence[float]) -> float:
    """The p-value of several independent ones, given their logarithms: a chi-square tail of even degrees."""
    half = -sum(logs)
    terms = [place * math.log(half) - math.lgamma(place + 1) for place in range(len(logs))] if half > 0 else [0.0]
    top = max(terms)
    return min(1.0, math.exp(min(0.0, -half + top + math.log(sum(math.exp(term - top) for term in terms)))))


def _peaks(series: Array) -> list[int]:
    """The periods of the strongest peaks of the smoothed periodogram of what is left of the trend."""
    n = len(series)
    places = np.arange(n) - (n - 1) / 2
    slope = float(places @ series) / float(places @ places)
    left = prewhitened(series - slope * places)
    power = np.abs(np.fft.rfft((left - left.mean()) * np.hanning(len(left)))) ** 2
    m = len(left)
    frequencies = np.arange(len(power))
    usable = (frequencies >= LEAST_CYCLES) & (frequencies <= m / 2)
    local = np.concatenate([[False], (power[1:-1] >= power[:-2]) & (power[1:-1] >= power[2:]), [False]])
    peaks = np.flatnonzero(usable & local & (power > 8 * np.median(power[1:])))
    strongest = peaks[np.argsort(power[peaks])[::-1][:_MOST_PEAKS]]
    periods = [_refined(left, m / frequency) for frequency in strongest.tolist()]
    return list(dict.fromkeys([*_first_recurrence(left), *periods]))


def _first_recurrence(values: Array) -> list[int]:
    """The shortest lag at which the autocorrelation peaks about as high as anywhere.

    A spiky season has its power in harmonics: its period shows here and not in the periodogram's highest peaks.
    """
    acf = autocorrelation(values, len(values) // LEAST_CYCLES)
    places = np.flatnonzero((acf[1:-1] > acf[:-2]) & (acf[1:-1] >= acf[2:])) + 1
    places = places[places >= 2]
    if not places.size:
        return []
    highest = acf[places].max()
    return [int(places[np.argmax(acf[places] >= _ABOUT_AS_HIGH * highest)])] if highest > 0 else []


def _refined(values: Array, about: float) -> int:
    """The whole period near `about` at which the autocorrelation is highest: a periodogram tells long ones roughly."""
    reach = max(1, round(about * about / len(values)))
    low, high = max(2, round(about) - reach), min(len(values) // LEAST_CYCLES, round(about) + reach)
    if high <= low:
        return max(2, min(round(about), len(values) // LEAST_CYCLES))
    acf = autocorrelation(values, high)
    return low + int(np.argmax(acf[low : high + 1]))
