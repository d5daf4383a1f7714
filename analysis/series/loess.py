"""Local linear smoothing (loess) over evenly spaced values, several columns at once, with weights.

Cleveland, "Robust locally weighted regression and smoothing scatterplots" (1979), as used in STL: the `span` nearest
values count, by the tricube of their distance; near the ends the window stays as wide and leans inwards. Inside the
smoother is a convolution, at the ends a small matrix.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from analysis.columns import Array

# Above, ends are computed at so many places and drawn as straight lines between them.
_MOST_END_PLACES = 300
# Convolutions of more multiplications than this go through the Fourier transform.
_MOST_DIRECT = 30_000_000


def smoothed(values: Array, span: int, weights: Array | None = None, *, beyond: int = 0) -> Array:
    """Loess of degree one of each column of `values` (n, k), at n places and `beyond` (0 or 1) before and after.

    `span` is an odd number of values. `weights` (n, k) are 0 where a value is not to count (NaN is never looked at
    where the weight is 0). Where all weights of a window vanish, the answer is the column's weighted mean. Shape
    (n + 2 * beyond, k).
    """
    n = len(values)
    given = np.ones_like(values) if weights is None else weights
    weighted = np.where(given > 0, values, 0.0) * given
    span = max(3, span | 1)
    if span >= n:
        places = np.arange(-beyond, n + beyond)
        return _solved(*_window_sums(given, weighted, places, _full_kernel(n, span, beyond)), given, weighted)
    half = span // 2
    middle = _middle(given, weighted, span, plain=weights is None)
    head = _end(given[:span], weighted[:span], span, beyond)
    tail = _end(given[-span:][::-1], weighted[-span:][::-1], span, beyond)[::-1]
    made = np.concatenate([head, middle, tail])
    assert len(made) == n + 2 * beyond, (len(made), n, half)
    return made


@lru_cache(maxsize=64)
def _kernel(span: int) -> Array:
    """The weights of a window with its place in the middle."""
    distances = np.abs(np.arange(span) - span // 2) / (span // 2 + 1e-9)
    return _tricube(distances)


def _tricube(distances: Array) -> Array:
    return np.asarray(np.clip(1 - np.clip(distances, 0, 1) ** 3, 0, None) ** 3)


def _middle(given: Array, weighted: Array, span: int, *, plain: bool) -> Array:
    """The places whose window lies inside."""
    kernel, offsets = _kernel(span), np.arange(span) - span // 2
    if plain:  # the regression's slope does not matter in the middle of a symmetric window
        return _convolved(weighted, kernel / kernel.sum())
    sums = [_convolved(given, kernel * offsets**power) for power in range(3)]
    totals = [_convolved(weighted, kernel * offsets**power) for power in range(2)]
    return _solved(sums[0], sums[1], sums[2], totals[0], totals[1], given, weighted)


def _convolved(columns: Array, kernel: Array) -> Array:
    """Sums of kernel[j] * columns[i + j]; shape (n - span + 1, k)."""
    n, width = columns.shape
    span = len(kernel)
    if width > 8 and span <= 64:
        made = np.zeros((n - span + 1, width))
        for offset, factor in enumerate(kernel.tolist()):
            made += factor * columns[offset : offset + n - span + 1]
        return made
    if n * span * width <= _MOST_DIRECT:
        return np.stack([np.correlate(columns[:, place], kernel, "valid") for place in range(width)], axis=1)
    size = 1 << (n + span - 1).bit_length()
    spectrum = np.fft.rfft(columns, size, axis=0) * np.fft.rfft(kernel[::-1], size)[:, None]
    return np.asarray(np.fft.irfft(spectrum, size, axis=0)[span - 1 : n])


@lru_cache(maxsize=64)
def _end_kernel(span: int, beyond: int) -> tuple[Array, Array]:
    """Places at the beginning of a series, and their weights over its first `span` values."""
    half = span // 2
    count = half + beyond
    places = np.arange(-beyond, half)
    if count > _MOST_END_PLACES:
        places = np.unique(np.linspace(-beyond, half - 1, _MOST_END_PLACES).round().astype(np.int64))
    reach = np.maximum(span - 1 - places, 1)
    return places, _tricube(np.abs(np.arange(span)[None, :] - places[:, None]) / (reach[:, None] + 1e-9))


def _end(given: Array, weighted: Array, span: int, beyond: int) -> Array:
    """The places before the middle: the first half of a window, and `beyond`."""
    places, kernel = _end_kernel(span, beyond)
    made = _solved(*_window_sums(given, weighted, places, kernel), given, weighted)
    wanted = np.arange(-beyond, span // 2)
    if len(places) == len(wanted):
        return made
    return np.stack([np.interp(wanted, places, made[:, column]) for column in range(made.shape[1])], axis=1)


def _full_kernel(n: int, span: int, beyond: int) -> Array:
    places = np.arange(-beyond, n + beyond)
    reach = np.maximum(places, n - 1 - places) + (span - n) // 2
    return _tricube(np.abs(np.arange(n)[None, :] - places[:, None]) / (np.maximum(reach, 1)[:, None] + 1e-9))


def _window_sums(
    given: Array, weighted: Array, places: Array, kernel: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Moments about each place: of the weights (0 to 2) and of the weighted values (0 and 1)."""
    offsets = np.arange(kernel.shape[1])[None, :] - places[:, None]
    first = kernel * offsets
    return kernel @ given, first @ given, (first * offsets) @ given, kernel @ weighted, first @ weighted


def _solved(s0: Array, s1: Array, s2: Array, t0: Array, t1: Array, given: Array, weighted: Array) -> Array:
    """The regression's value at offset 0."""
    determinant = s0 * s2 - s1 * s1
    flat = determinant <= 1e-9 * np.maximum(s0 * s2, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        line = (s2 * t0 - s1 * t1) / determinant
        level = t0 / s0
    overall = weighted.sum(axis=0) / np.maximum(given.sum(axis=0), 1e-300)
    level = np.where(s0 > 1e-12, level, overall)
    return np.asarray(np.where(flat, level, line))
