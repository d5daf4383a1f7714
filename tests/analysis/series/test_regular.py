"""Series out of rows: duplicates, gaps, nulls, zones and holes are bridged and counted."""

import numpy as np
import pytest
from series_samples import stamps

from analysis.series.regular import Aggregate, Fill, SeriesStatus, regularise, wall_times
from analysis.series.steps import named_step


def test_rows_in_any_order_make_the_same_series() -> None:
    chance = np.random.default_rng(3)
    moments, values = stamps(300), chance.normal(size=300)
    order = chance.permutation(300)
    series = regularise(moments[order], values[order])
    assert series.status is SeriesStatus.OK
    assert np.array_equal(series.values, values)
    assert np.array_equal(series.stamps, moments)
    assert (series.duplicates, series.gaps, series.moved, series.nulls) == (0, 0, 0, 0)


def test_gaps_duplicates_and_nulls_are_counted() -> None:
    moments, values = stamps(100), np.arange(100.0)
    kept = np.ones(100, dtype=bool)
    kept[40:45] = False
    times = np.concatenate([moments[kept], moments[:3], np.array(["NaT"], dtype="datetime64[us]"), moments[:2]])
    numbers = np.concatenate([values[kept], values[:3] + 2, [1.0], [np.nan, np.inf]])
    series = regularise(times, numbers)
    assert (series.gaps, series.duplicates, series.nulls, series.rows) == (5, 3, 3, 101)
    assert np.isnan(series.values[40:45]).all()
    assert np.allclose(series.filled[38:47], np.arange(38, 47))
    assert np.allclose(series.values[:3], [1, 2, 3])  # the mean of both


@pytest.mark.parametrize(
    ("aggregate", "wanted"),
    [
        (Aggregate.MEAN, 8 / 3),
        (Aggregate.SUM, 8.0),
        (Aggregate.COUNT, 3.0),
        (Aggregate.MEDIAN, 2.0),
        (Aggregate.MIN, 1.0),
        (Aggregate.MAX, 5.0),
        (Aggregate.FIRST, 5.0),
        (Aggregate.LAST, 2.0),
    ],
)
def test_what_rows_of_one_step_make(aggregate: Aggregate, wanted: float) -> None:
    moments = np.concatenate([stamps(10), stamps(10)[3:4], stamps(10)[3:4]])
    values = np.concatenate([np.ones(3), [5.0], np.ones(6), [1.0, 2.0]])
    series = regularise(moments, values, aggregate=aggregate)
    assert series.values[3] == pytest.approx(wanted)
    assert series.duplicates == 2


def test_days_without_orders_have_none() -> None:
    days = np.repeat(stamps(60, "day"), 5)
    kept = np.ones(300, dtype=bool)
    kept[100:110] = False
    assert regularise(days[kept], np.ones(290), aggregate=Aggregate.SUM).filled[20:22].tolist() == [0, 0]
    means = regularise(days[kept], np.ones(290))
    assert (means.fill, means.filled[20]) == (Fill.INTERPOLATE, 1.0)


def test_days_that_rows_do_not_span_are_left_out() -> None:
    chance = np.random.default_rng(4)
    day = 86_400_000_000
    moments = np.datetime64("2024-01-01", "us") + np.sort(chance.integers(int(0.7 * day), int(60.2 * day), 3000))
    series = regularise(moments, np.ones(3000), aggregate=Aggregate.COUNT)
    assert series.bucketed
    assert series.incomplete_first
    assert series.incomplete_last
    assert len(series) == 59
    assert series.values.min() > 25


def test_days_of_a_zone_with_daylight_saving() -> None:
    local = np.arange("2024-01-01", "2024-12-01", dtype="datetime64[D]").astype("datetime64[us]")
    summer = (local > np.datetime64("2024-03-31")) & (local <= np.datetime64("2024-10-27"))
    in_utc = local - np.where(summer, 2, 1) * np.timedelta64(1, "h")
    without = regularise(in_utc, np.arange(len(local), dtype=float))
    assert (without.step is not None and without.step.text, without.daylight_saving) == ("day", True)
    assert without.gaps == without.duplicates == 0
    within = regularise(in_utc, np.arange(len(local), dtype=float), zone="Europe/Berlin")
    assert np.array_equal(within.stamps, local)
    assert within.moved == 0


def test_clocks_that_jump_make_one_gap_and_one_duplicate() -> None:
    wall = wall_times(stamps(8000), "Europe/Berlin")
    series = regularise(wall, np.ones(8000))
    assert (series.gaps, series.duplicates, series.daylight_saving) == (1, 1, True)


def test_stamps_far_off_do_not_make_a_grid_of_holes() -> None:
    strays = np.array(["1900-01-01", "9999-12-31"], dtype="datetime64[us]")
    series = regularise(np.concatenate([strays, stamps(200)]), np.ones(202))
    assert (len(series), series.left_out) == (200, 2)


def test_few_events_an_hour_are_mostly_none() -> None:
    """With a step of one's own, empty buckets are values, not holes to be cut at."""
    chance = np.random.default_rng(5)
    hours = np.sort(chance.choice(2000, 200, replace=False))
    series = regularise(stamps(2000)[hours], np.ones(200), aggregate=Aggregate.COUNT, step=named_step("hour"))
    assert (series.left_out, len(series)) == (0, int(hours[-1] - hours[0]) + 1)
    assert series.filled.sum() == 200


def test_a_step_far_too_fine_ends_quickly_and_small() -> None:
    chance = np.random.default_rng(6)
    moments = np.datetime64("2000-01-01", "us") + np.sort(chance.integers(0, 10**15, 200_000))
    series = regularise(moments, np.ones(200_000), step=named_step("microsecond"))
    assert len(series) < 100_000


def test_what_makes_no_series_has_a_status() -> None:
    few = np.array(["2024-01-01", "2024-01-01", "2024-01-02"], dtype="datetime64[us]")
    assert regularise(few, np.ones(3)).status is SeriesStatus.TOO_FEW
    assert regularise(few[:0], np.ones(0)).status is SeriesStatus.EMPTY
    assert regularise(few, np.full(3, np.nan)).status is SeriesStatus.EMPTY
    odd = np.array(["2024-01-01", "2024-01-02", "2024-03-01", "2024-07-01"], dtype="datetime64[us]")
    assert regularise(odd, np.ones(4)).status in (SeriesStatus.IRREGULAR, SeriesStatus.OK)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        regularise(stamps(10), np.ones(10), zone="Nowhere/Atall")
