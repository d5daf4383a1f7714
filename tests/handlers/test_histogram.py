"""Histograms count each value once, in the range it belongs to."""

import contextlib

from handlers.histogram import Histogram


def test_a_value_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.100001, 1.0, 7.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.count == 5
    assert abs(histogram.total - 8.250001) < 1e-9


def test_what_fails_has_no_time() -> None:
    histogram = Histogram()
    with histogram.timed():
        assert histogram.count == 0
    with contextlib.suppress(ValueError), histogram.timed():
        raise ValueError
    assert histogram.count == 1
