"""Bands hold their rate of false alarms, know seasons, never look ahead, and go on with the series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.columns import Array
from analysis.monitoring.bands import Band, BandOptions, band, fit, with_hysteresis

STEP_MS = 300_000
START_MS = 1_700_000_100_000
DAY = 288
Rng = np.random.Generator


def times(count: int) -> Array:
    return START_MS + STEP_MS * np.arange(count, dtype=np.int64)


def correlated(rng: Rng, n: int) -> Array:
    made = np.zeros(n)
    noise = rng.standard_normal(n)
    for place in range(1, n):
        made[place] = 0.8 * made[place - 1] + noise[place]
    return made


def seasonal(rng: Rng, n: int) -> Array:
    turn = np.sin(2 * np.pi * np.arange(n) / DAY)
    return 50.0 + 20.0 * turn + rng.standard_normal(n) * (1.2 + turn)


NOISES: dict[str, Callable[[Rng, int], Array]] = {
    "Gaussian": lambda rng, n: rng.standard_normal(n),
    "Laplace": lambda rng, n: rng.laplace(size=n),
    "log-normal": lambda rng, n: rng.lognormal(size=n),
    "counts": lambda rng, n: rng.poisson(3.0, n).astype(np.float64),
    "AR(1)": correlated,
    "a day's season": seasonal,
    "a trend": lambda rng, n: 0.01 * np.arange(n) + rng.standard_normal(n),
    "nearly always 0": lambda rng, n: rng.lognormal(size=n) * (rng.random(n) < 0.05),
}


@pytest.mark.parametrize("noise", NOISES)
def test_no_more_false_alarms_than_promised(noise: str) -> None:
    """5 in 1,000 of 12,000 values: 60 are promised. Up to 105 is what correlated chance may do, with the error that a
    limit learned from the past has: a band that reaches a tenth less far has more (see the next test)."""
    rng = np.random.default_rng(4)
    outside = counted = 0
    for _ in range(6):
        values = NOISES[noise](rng, 3000)
        score = band(times(3000), values, BandOptions(false_alarm_rate=5e-3), start=1000).score
        outside += int(np.sum(np.abs(score) > 1.0))
        counted += int(np.isfinite(score).sum())
    print(f"seed 4, {noise}: {outside} of {counted}")
    assert counted == 12_000
    assert outside <= 105


@pytest.mark.parametrize("noise", ["Gaussian", "Laplace", "a day's season"])
def test_nor_many_fewer(noise: str) -> None:
    """A band as wide as the sky has none either."""
    rng = np.random.default_rng(4)
    outside = 0
    for _ in range(6):
        values = NOISES[noise](rng, 3000)
        outside += int(np.sum(np.abs(band(times(3000), values, BandOptions(5e-3), start=1000).score) > 1.0))
    print(f"seed 4, {noise}: {outside}")
    assert outside >= 25


def test_one_in_ten_thousand_is_kept_as_well() -> None:
    rng = np.random.default_rng(8)
    outside = sum(
        int(np.sum(np.abs(band(times(6000), rng.laplace(size=6000), start=2000).score) > 1.0)) for _ in range(6)
    )
    print(f"seed 8: {outside} of 24000, 2.4 promised")
    assert outside <= 9


def test_deviations_in_place_of_a_rate() -> None:
    rng = np.random.default_rng(2)
    model = fit(times(2000), 10.0 + rng.standard_normal(2000), BandOptions(false_alarm_rate=None, deviations=6.0))
    assert model is not None
    expected, lower, upper = model.limits(START_MS + STEP_MS * 2000)
    assert upper - expected == pytest.approx(6.0, rel=0.1)
    assert expected - lower == pytest.approx(6.0, rel=0.1)
    assert expected == pytest.approx(10.0, abs=0.3)


def test_a_quiet_night_at_noon_is_outside() -> None:
    rng = np.random.default_rng(3)
    hour = np.arange(14 * DAY) % DAY / 12
    values = np.where((hour >= 9) & (hour < 18), 80.0, 20.0) + rng.standard_normal(14 * DAY)
    stays_low = slice(11 * DAY + 12 * 9, 11 * DAY + 12 * 18)
    values[stays_low] = 20.0 + rng.standard_normal(12 * 9)
    found = band(times(14 * DAY), values)
    assert found.seasons == ("day",)
    assert found.is_anomalous[stays_low].all()
    # The days before are not, once the season is known: after two days, and a third to see that it holds.
    assert found.is_anomalous[3 * DAY + 24 : 11 * DAY].sum() <= 3


def test_weekends_are_expected() -> None:
    rng = np.random.default_rng(3)
    day = np.arange(8 * 7 * 24) // 24 % 7
    hour = np.arange(8 * 7 * 24) % 24
    values = np.where(day >= 5, 20.0, 60.0 + 20.0 * np.sin(hour / 24 * 2 * np.pi)) + rng.standard_normal(len(day))
    at = START_MS + 3_600_000 * np.arange(len(day), dtype=np.int64)
    model = fit(at[: 6 * 168], values[: 6 * 168])
    assert model is not None
    assert model.season == "week"
    found = band(at, values, start=5 * 168)
    assert not found.is_anomalous.any()
    assert np.median(found.upper - found.lower) < 32.0


def test_a_source_that_is_only_seen_by_day_has_a_season_too() -> None:
    """And when it is seen by night for once, the band goes on."""
    rng = np.random.default_rng(6)
    place = np.arange(12 * DAY)
    values = 50.0 + 20.0 * np.sign(np.sin(2 * np.pi * place / 48)) + rng.standard_normal(len(place))
    values[(place % DAY < 72) & (place < 11 * DAY)] = np.nan
    model = fit(times(11 * DAY), values[: 11 * DAY])
    assert model is not None
    assert model.season == "day"
    told = [
        model.update(int(at), float(value))
        for at, value in zip(times(12 * DAY), values, strict=True)
        if at > times(11 * DAY)[-1]
    ]
    assert all(np.isfinite([each.expected, each.lower, each.upper]).all() for each in told)
    assert not any(each.is_anomalous for each in told[150:])


def test_a_season_from_a_longer_past_in_hours() -> None:
    """Eight hours of minutes know no day; three weeks of hours do, and that noon follows a quiet morning."""
    rng = np.random.default_rng(6)
    minutes = START_MS + 60_000 * np.arange(480, dtype=np.int64)
    hours = minutes[0] - 3_600_000 * np.arange(21 * 24, 0, -1, dtype=np.int64)

    def level(at: Array) -> Array:
        return np.asarray(100.0 + 50.0 * np.sign(np.sin(2 * np.pi * at / 14_400_000)))

    history = (hours, level(hours))
    values = level(minutes) + rng.standard_normal(480)
    model, without = fit(minutes, values, history=history), fit(minutes, values)
    assert model is not None
    assert without is not None
    assert (model.season, without.season) == ("day", None)
    later = minutes[-1:] + 60_000 * np.arange(1, 240)
    assert np.mean(np.abs(model.expected(later) - level(later))) < 15.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(60, 900), st.integers(1, 200))
def test_what_comes_later_changes_nothing(seed: int, count: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=count)
    values[rng.random(count) < 0.05] = np.nan
    shorter = count - min(cut, count - 55)
    whole = band(times(count), values)
    changed = values.copy()
    changed[shorter:] = 1e6 * rng.standard_normal(count - shorter)
    other = band(times(count), changed)
    for one, two in zip(_arrays(whole), _arrays(other), strict=True):
        np.testing.assert_array_equal(one[:shorter], two[:shorter])


def _arrays(found: Band) -> tuple[Array, ...]:
    return found.expected, found.lower, found.upper, found.score, found.is_anomalous


@pytest.mark.parametrize("noise", ["Gaussian", "a day's season", "log-normal"])
def test_one_by_one_is_as_all_at_once(noise: str) -> None:
    rng = np.random.default_rng(12)
    values = NOISES[noise](rng, 2300)
    values[2100:2104] += 100.0
    values[2150:2160] = np.nan
    at = times(2300)
    model = fit(at[:2000], values[:2000])
    assert model is not None
    told = [model.update(int(when), float(value)) for when, value in zip(at[2000:], values[2000:], strict=True)]
    whole = band(at, values, start=2000)
    np.testing.assert_allclose([each.expected for each in told], whole.expected, rtol=1e-9)
    np.testing.assert_allclose([each.upper for each in told], whole.upper, rtol=1e-9)
    np.testing.assert_allclose([each.lower for each in told], whole.lower, rtol=1e-9)
    np.testing.assert_array_equal([each.is_anomalous for each in told], whole.is_anomalous)
    assert whole.is_anomalous[100:104].all()


def test_an_alarm_lasts_until_well_within_the_band() -> None:
    rng = np.random.default_rng(1)
    model = fit(times(1000), rng.standard_normal(1000))
    assert model is not None
    at = START_MS + STEP_MS * 1000
    expected, _, upper = model.limits(at)
    near, well = expected + 0.8 * (upper - expected), expected + 0.5 * (upper - expected)
    assert not model.judge(at, near).is_anomalous
    assert model.judge(at, near, was_anomalous=True).is_anomalous
    told = [model.update(at + place, value).is_anomalous for place, value in enumerate([upper + 5.0, near, well, near])]
    assert told == [True, True, False, False]


def test_a_spike_is_outside_and_the_value_after_it_is_not() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(1000)
    values[800] = 30.0
    found = band(times(1000), values)
    assert found.is_anomalous[800]
    assert not found.is_anomalous[801:].any()


def test_a_lasting_shift_is_taken_over_after_a_while() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(3000)
    values[1500:] += 20.0
    found = band(times(3000), values)
    assert found.is_anomalous[1500:1520].all()
    assert not found.is_anomalous[2300:].any()


def test_a_rise_that_goes_on_is_expected() -> None:
    rng = np.random.default_rng(1)
    values = 5.0 * np.arange(2000) + rng.standard_normal(2000)
    found = band(times(2000), values, start=1000)
    assert not found.is_anomalous.any()
    assert np.max(found.upper - found.lower) < 60.0


def test_only_the_side_asked_for() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(1000)
    values[800], values[900] = 30.0, -30.0
    above = band(times(1000), values, BandOptions(direction="above"))
    assert above.is_anomalous[800]
    assert not above.is_anomalous[900]
    assert np.all(np.isneginf(above.lower[100:]))
    below = band(times(1000), values, BandOptions(direction="below"))
    assert not below.is_anomalous[800]
    assert below.is_anomalous[900]


def test_a_metric_that_never_moved() -> None:
    """A change by a little is none; 0 tells nothing until it has been 0 for as long as the rate speaks of."""
    still = fit(times(500), np.full(500, 40.0))
    assert still is not None
    assert not still.judge(START_MS + STEP_MS * 500, 41.0).is_anomalous
    assert still.judge(START_MS + STEP_MS * 500, 50.0).is_anomalous
    nothing = fit(times(500), np.zeros(500))
    assert nothing is not None
    assert not nothing.judge(START_MS + STEP_MS * 500, 1.0).is_anomalous
    long = fit(times(25_000), np.zeros(25_000))
    assert long is not None
    assert long.judge(START_MS + STEP_MS * 25_000, 1.0).is_anomalous


def test_least_change_is_never_an_alarm() -> None:
    rng = np.random.default_rng(1)
    model = fit(times(500), rng.standard_normal(500), BandOptions(least_change=50.0))
    assert model is not None
    assert not model.judge(START_MS + STEP_MS * 500, 45.0).is_anomalous
    assert model.judge(START_MS + STEP_MS * 500, 55.0).is_anomalous


def test_too_few_values_have_no_band() -> None:
    assert fit(times(49), np.arange(49.0)) is None
    assert np.isnan(band(times(49), np.arange(49.0)).upper).all()
    assert len(band(times(0), np.zeros(0)).upper) == 0
    assert fit(times(100), np.full(100, np.nan)) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_infinity=True, allow_nan=True), min_size=50, max_size=120))
def test_any_numbers_at_all(values: list[float]) -> None:
    found = band(times(len(values)), np.array(values))
    known = np.isfinite(found.expected)
    assert np.all(found.lower[known] <= found.expected[known])
    assert np.all(found.upper[known] >= found.expected[known])


def test_an_alarm_ends_within_the_band_not_at_its_edge() -> None:
    scores = np.array([0.9, 1.1, 0.9, 0.7, 0.6, 0.9, -1.2, np.nan, 0.9])
    expected = [False, True, True, True, False, False, True, False, False]
    assert with_hysteresis(scores, 2 / 3).tolist() == expected
