"""STL and MSTL against statsmodels 0.15, and what they owe their series."""

import numpy as np
import pytest
from series_samples import hourly

from analysis.columns import Array
from analysis.series.decomposition import PERIODIC, decompose
from analysis.series.loess import smoothed

# STL(y, period=12, seasonal=11).fit(inner_iter=2, outer_iter=0) of statsmodels at these places.
PLACES = [0, 1, 50, 98, 99]
TREND = [10.401603120298027, 10.490944538760845, 15.005186595527373, 19.53082417784436, 19.629246239468184]
SEASON = [0.5425467955640696, 1.5101462419630067, 2.737086876287376, 3.7368931450047462, 3.4894403336761575]


def reference() -> Array:
    t = np.arange(100)
    return np.asarray(10 + 0.1 * t + 3 * np.sin(2 * np.pi * t / 12) + np.cos(t * t * 0.7))


def test_the_same_as_statsmodels() -> None:
    parts = decompose(reference(), (12,))
    assert np.allclose(parts.trend[PLACES], TREND, atol=1e-8)
    assert np.allclose(parts.seasonal[PLACES], SEASON, atol=1e-8)


def test_parts_add_up_and_seasons_are_found() -> None:
    hours = np.arange(960)
    day, week = 10 * np.sin(2 * np.pi * hours / 24), 5 * np.cos(2 * np.pi * hours / 168)
    values = 50 + 0.02 * hours + day + week + np.random.default_rng(5).normal(size=960)
    parts = decompose(values, (168, 24))
    assert parts.periods == (24, 168)
    assert np.allclose(parts.trend + parts.seasonal + parts.remainder, values)
    assert np.std(parts.seasons[0] - day) < 0.6
    assert np.std(parts.seasons[1] - week) < 0.8
    assert parts.seasonal_strength(0) > 0.95
    assert parts.trend_strength > 0.9
    assert np.allclose(parts.next_seasonal(24)[:24], parts.seasons[0][-24:] + parts.seasons[1][-168:-144])


def test_fixed_seasons_are_the_same_in_every_cycle() -> None:
    parts = decompose(reference()[:96], (12,), seasonal_spans=(PERIODIC,))
    cycles = parts.seasonal.reshape(8, 12)
    assert np.abs(cycles - cycles[0]).max() < 0.2  # but for the low pass at the ends


def test_gaps_are_bridged() -> None:
    values = hourly(1)
    holed = values.copy()
    holed[200:230] = np.nan
    parts = decompose(holed, (24, 168))
    whole = decompose(values, (24, 168))
    assert np.isnan(parts.remainder[200:230]).all()
    assert np.isfinite(parts.trend).all()
    bridged = (parts.trend + parts.seasonal)[200:230]
    assert np.abs(bridged - (whole.trend + whole.seasonal)[200:230]).mean() < 0.15 * values.std()


def test_outliers_pull_at_a_robust_decomposition_less() -> None:
    values = reference()
    hit = values.copy()
    hit[50] += 100
    plain, robust = decompose(hit, (12,)), decompose(hit, (12,), robust=True)
    clean = decompose(values, (12,), robust=True)
    assert np.abs(robust.trend - clean.trend).max() < 0.2 * np.abs(plain.trend - clean.trend).max()
    assert robust.weights[50] < 1e-3


def test_short_and_constant_and_huge() -> None:
    assert decompose(np.full(30, 7.0), (12,)).trend == pytest.approx(np.full(30, 7.0))
    assert decompose(np.arange(20.0), (12,)).periods == ()
    assert np.isfinite(decompose(reference() * 1e300, (12,)).trend).all()
    with pytest.raises(ValueError, match="no value"):
        decompose(np.full(5, np.nan))


def test_loess_keeps_lines_and_weights_of_one_change_nothing() -> None:
    line = np.stack([np.arange(60.0), 3 - np.arange(60.0)], axis=1)
    noisy = line + np.random.default_rng(6).normal(size=line.shape)
    for span in (7, 21, 59, 61, 201):
        assert np.allclose(smoothed(line, span, beyond=1)[1:-1], line)
        weighted = smoothed(noisy, span, np.ones_like(noisy), beyond=1)
        assert np.allclose(smoothed(noisy, span, beyond=1), weighted, atol=1e-9)
