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
# Below this share of its parts a determinant is rounding: the window has one place only.
_FLAT = 1e-9


def smoothed(values: Array, span: int, weights: Array | None = None, *, beyond: int = 0) -> Array:
    """Loess of degree one of each column of `values` (n, k), at n places and `beyond` (0 or 1) before and after.

    `span` is an odd number of values. `weights` (n, k) are 0 where a value is not to count (NaN is never looked at
    where the weight is 0). Where all weights of a window vanish, the answer is the column's weighted mean. Shape
    (n + 2 * beyond, k).
    """
    n, span = len(values), max(3, span | 1)
    if weights is None:
        return _plain(values, n, span, beyond)
    weighted = np.where(weights > 0, values, 0.0) * weights
    if span >= n:
        places = np.arange(-beyond, n + beyond)
        return _solved(*_window_sums(weights, weighted, places, _full_kernel(n, span, beyond)), weights, weighted)
    middle = _middle(weights, weighted, span)
    head = _end(weights[:span], weighted[:span], span, beyond)
    tail = _end(weights[-span:][::-1], weighted[-span:][::-1], span, beyond)[::-1]
    return np.concatenate([head, middle, tail])


def _plain(values: Array, n: int, span: int, beyond: int) -> Array:
    """Where all weights are 1, smoothing is the same linear map for all series of a length."""
    if span >= n:
        return np.asarray(_whole_operator(n, span, beyond) @ values)
    # The regression's slope does not matter in the middle of a symmetric window.
    middle = _convolved(values, _kernel(span) / _kernel(span).sum())
    operator = _end_operator(span, beyond)
    head, tail = operator @ values[:span], (operator @ values[-span:][::-1])[::-1]
    return np.concatenate([_drawn(head, span, beyond), middle, _drawn(tail[::-1], span, beyond)[::-1]])


@lru_cache(maxsize=32)
def _end_operator(span: int, beyond: int) -> Array:
    places, kernel = _end_kernel(span, beyond)
    return _operator(places, kernel)


@lru_cache(maxsize=64)
def _whole_operator(n: int, span: int, beyond: int) -> Array:
    return _operator(np.arange(-beyond, n + beyond), _full_kernel(n, span, beyond))


def _operator(places: Array, kernel: Array) -> Array:
    """What each value counts at each place; rows add up to 1."""
    offsets = np.arange(kernel.shape[1])[None, :] - places[:, None]
    first = kernel * offsets
    s0, s1, s2 = kernel.sum(axis=1), first.sum(axis=1), (first * offsets).sum(axis=1)
    determinant = s0 * s2 - s1 * s1
    flat = determinant <= _FLAT * np.maximum(s0 * s2, 1e-300)
    safe = np.where(flat, 1.0, determinant)
    line = (s2[:, None] * kernel - s1[:, None] * first) / safe[:, None]
    return np.asarray(np.where(flat[:, None], kernel / np.maximum(s0, 1e-300)[:, None], line))


@lru_cache(maxsize=64)
def _kernel(span: int) -> Array:
    """The weights of a window with its place in the middle."""
    distances = np.abs(np.arange(span) - span // 2) / (span // 2 + 1e-9)
    return _tricube(distances)


def _tricube(distances: Array) -> Array:
    return np.asarray(np.clip(1 - np.clip(distances, 0, 1) ** 3, 0, None) ** 3)


def _middle(given: Array, weighted: Array, span: int) -> Array:
    """The places whose window lies inside."""
    kernel, offsets = _kernel(span), np.arange(span) - span // 2
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
    return _drawn(_solved(*_window_sums(given, weighted, places, kernel), given, weighted), span, beyond)


def _drawn(made: Array, span: int, beyond: int) -> Array:
    """The places that were skipped, on straight lines."""
    wanted = np.arange(-beyond, span // 2)
    if len(made) == len(wanted):
        return made
    places, _ = _end_kernel(span, beyond)
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
    flat = determinant <= _FLAT * np.maximum(s0 * s2, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        line = (s2 * t0 - s1 * t1) / determinant
        level = t0 / s0
    overall = weighted.sum(axis=0) / np.maximum(given.sum(axis=0), 1e-300)
    level = np.where(s0 > 1e-12, level, overall)
    return np.asarray(np.where(flat, level, line))
