"""Fewer points that look like all of them."""

from __future__ import annotations

import itertools

import numpy as np

from analysis.timeseries.lttb import downsampled

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def plain(y: Values, width: int) -> list[int]:
    """The published algorithm over buckets of `width`, of a series without gaps."""
    buckets = [range(first, min(first + width, len(y))) for first in range(0, len(y), width)]
    chosen = [0]
    for here, after in itertools.pairwise(buckets[1:]):
        cx, cy = float(np.mean(list(after))), float(np.mean(y[list(after)]))
        ax, ay = chosen[-1], float(y[chosen[-1]])
        areas = [abs((ax - cx) * (float(y[x]) - ay) - (ax - x) * (cy - ay)) for x in here]
        chosen.append(here[int(np.argmax(areas))])
    return [*chosen, len(y) - 1]


def test_it_chooses_what_the_published_algorithm_chooses() -> None:
    seed = 7
    print("seed", seed)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(5, 203)).cumsum(axis=1)
    made = downsampled(values, values - 1, values + 1, 10)
    for row, chosen, value in zip(values, made.column, made.value, strict=True):
        assert chosen.tolist() == plain(row, 10)
        np.testing.assert_array_equal(value, row[chosen])
    np.testing.assert_array_equal(made.low[:, 3], values[:, 30:40].min(axis=1) - 1)
    np.testing.assert_array_equal(made.high[:, -1], values[:, 200:].max(axis=1) + 1)


def test_gaps_stay_gaps_and_their_edges_are_kept() -> None:
    values = np.arange(40.0)[None, :] % 7
    values[0, 10:20] = np.nan
    values[0, 25] = np.nan
    made = downsampled(values, values, values, 5)
    assert made.column[0, 2:4].tolist() == [-1, -1]
    assert np.isnan(made.value[0, 2:4]).all()
    # The last before the gap and the first after it.
    assert made.column[0, 1] == 9
    assert made.column[0, 4] == 20
    assert 25 not in made.column[0]


def test_what_was_chosen_stays_as_time_goes_on() -> None:
    seed = 11
    print("seed", seed)
    values = np.random.default_rng(seed).normal(size=(3, 200))
    long = downsampled(values, values, values, 10)
    short = downsampled(values[:, :157], values[:, :157], values[:, :157], 10)
    np.testing.assert_array_equal(short.column[:, :14], long.column[:, :14])
