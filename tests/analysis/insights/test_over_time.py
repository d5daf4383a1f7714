"""What is told of series: in the words of their calendar, with the rows behind it, and nothing of parts of a season."""

from __future__ import annotations

import numpy as np

from analysis.columns import Array
from analysis.frames import Frame, frame_of
from analysis.insights.discover import find_insights
from analysis.insights.findings import Insight
from analysis.insights.options import InsightOptions

START = np.datetime64("2021-01-04")  # a Monday


def told(frame: Frame, *types: str, time: str | None = None) -> list[Insight]:
    return find_insights(frame, InsightOptions(types=frozenset(types), dialect="duckdb", time=time)).insights


def days(rows: int) -> Array:
    return START + np.arange(rows).astype("timedelta64[D]")


def test_weeks_and_years_are_called_by_their_names() -> None:
    at, noise = np.arange(1_500), np.random.default_rng(1).standard_normal((2, 1_500)) * 0.3
    weekly = np.where(at % 7 == 2, 3.0, 0.0) - np.where(at % 7 == 6, 3.0, 0.0) + noise[0]
    yearly = 10 * np.sin(2 * np.pi * (at - 100) / 365.25) + noise[1]
    frame = frame_of({"day": days(1_500), "w": weekly, "y": yearly})
    found = {i.columns[0]: i.sentence for i in told(frame, "seasonality")}
    assert "every week: highest at Wednesday and lowest at Sunday" in found["w"]
    assert "every year: highest at" in found["y"]
    assert " July and lowest at" in found["y"]


def test_rows_of_one_step_are_counted_and_averaged() -> None:
    rng = np.random.default_rng(2)
    counts = 20 + (0.15 * np.arange(200)).astype(int) + rng.integers(0, 5, 200)
    frame = frame_of({"at": np.repeat(days(200), counts), "x": rng.standard_normal(int(counts.sum()))})
    (trend,) = told(frame, "trend")
    assert trend.sentence.startswith("The number of rows rises by 0.15")
    assert trend.columns == ["at"]
    assert trend.query.sql.startswith('SELECT DATE_TRUNC(\'DAY\', "at") AS "period", COUNT(*) AS "rows"')
    slope = trend.numbers["slope"]
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 0.15 < slope.high


def test_a_step_is_told_once_and_with_its_time() -> None:
    values = np.random.default_rng(3).standard_normal(400) + np.where(np.arange(400) >= 200, 12.0, 0.0)
    (found,) = told(frame_of({"day": days(400), "x": values}), "change_point", "level_shift")
    assert {found.type, *(also.type for also in found.also)} == {"change_point", "level_shift"}
    assert found.numbers["at"].value == "2021-07-23T00:00:00"
    assert "2021-07-23" in found.sentence


def test_rows_behind_a_spike_are_those_of_its_day() -> None:
    values = np.random.default_rng(4).standard_normal(400)
    values[150] = 40.0
    (found,) = told(frame_of({"day": days(400), "x": values}), "time_series_outliers")
    assert [(c.operator, c.value) for c in found.query.where] == [
        (">=", "2021-06-03T00:00:00"),
        ("<=", "2021-06-04T00:00:00"),
    ]


def test_a_part_of_a_season_is_no_trend() -> None:
    """Fog comes in autumn only: that its temperature falls is the season's doing."""
    at = np.arange(1_461)
    temperature = 15 + 10 * np.sin(2 * np.pi * (at - 100) / 365.25) + np.random.default_rng(5).standard_normal(1_461)
    weather = np.where((at > 1_310) & (at < 1_440), "fog", "other").astype(object)
    frame = frame_of({"day": days(1_461), "temperature": temperature, "weather": weather})
    assert [i.sentence for i in told(frame, "trend", "change_point") if i.subspace] == []


def test_the_column_of_time_can_be_named() -> None:
    values = 0.1 * np.arange(200) + np.random.default_rng(6).standard_normal(200)
    stamps = {"a": days(200), "b": np.random.default_rng(6).permutation(days(200))}
    frame = frame_of({**stamps, "x": values})
    assert [i.columns for i in told(frame, "trend", time="a")] == [["x", "a"]]
    assert told(frame, "trend", time="b") == []
    assert told(frame, "trend", time="x") == []


def test_rows_in_any_order_give_the_same() -> None:
    values = 0.1 * np.arange(200) + np.random.default_rng(7).standard_normal(200)
    frame = frame_of({"day": days(200), "x": values})
    mixed = frame.take(np.random.default_rng(8).permutation(200))
    (one,), (other,) = told(frame, "trend"), told(mixed, "trend")
    assert (one.id, one.sentence) == (other.id, other.sentence)
