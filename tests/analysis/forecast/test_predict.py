"""The answer as a whole: points, intervals, backtest and statuses; whatever the data, never an error and never NaN."""

import datetime
import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_samples import hourly, random_walk, stamps, weekly

from analysis.columns import Array
from analysis.forecast.answers import ForecastOptions, Forecasts, ForecastStatus
from analysis.forecast.predict import forecast
from analysis.frames import frame_of
from analysis.series.regular import Aggregate

OK, SHORT = ForecastStatus.OK, ForecastStatus.INSUFFICIENT_HISTORY


def asked(values: Any, times: Array, horizon: int | None = None, **more: Any) -> Forecasts:
    """The forecast of one column, which encodes to JSON and has no number that JSON has not."""
    made = forecast(
        frame_of({"at": times, "y": values}), ForecastOptions("y", "at", horizon, **more), lambda *_: None, lambda: None
    )
    assert_plain(made)
    return made


def assert_plain(made: Forecasts) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, float):
            assert math.isfinite(value)
        elif isinstance(value, dict):
            list(map(walk, value.values()))
        elif isinstance(value, list | tuple):
            list(map(walk, value))

    plain = msgspec.to_builtins(made)
    walk(plain)
    assert msgspec.json.decode(msgspec.json.encode(made))["method"] == made.method


def test_two_days_of_hours() -> None:
    values = hourly(1)
    made = asked(values[:700], stamps(700), 48).series[0]
    assert (made.status, made.facts.step, made.facts.used) == (OK, "hour", 700)
    assert made.seasons[0].period == 24
    assert [point.stamp for point in made.points][:2] == ["2024-01-30T04:00:00", "2024-01-30T05:00:00"]
    assert len(made.points) == 48
    for point in made.points:
        narrow, wide = point.intervals
        assert wide.low <= narrow.low <= point.value <= narrow.high <= wide.high
    backtest = made.backtest
    assert backtest is not None
    assert (backtest.origins, backtest.horizon, backtest.season, backtest.stride) == (8, 48, 24, 24)
    assert backtest.beats_seasonal_naive
    assert {"naive", "Naive2", "seasonal naive (24)"} <= {model.model for model in backtest.models}
    assert sum(model.weight for model in backtest.models) == pytest.approx(1)
    assert [coverage.level for coverage in backtest.coverage] == [0.8, 0.95]
    assert backtest.coverage[0].pairs == 8 * 48
    owas = [model.owa for model in backtest.models if model.owa is not None]
    assert owas == sorted(owas)


def test_the_same_request_has_the_same_answer() -> None:
    first, second = (asked(weekly(1, 260), stamps(260, "week"), 13) for _ in range(2))
    assert first == second


def test_times_in_a_zone_and_without() -> None:
    values, times = random_walk(1, 100), stamps(100, "day")
    assert asked(values, times, 2).series[0].points[0].stamp == "2024-04-10T00:00:00"
    aware = [moment.replace(tzinfo=datetime.UTC) for moment in times.tolist()]
    frame = frame_of({"at": aware, "y": values})
    in_utc = forecast(frame, ForecastOptions("y", "at", 2), *_quiet())
    assert in_utc.series[0].points[0].stamp == "2024-04-10T00:00:00Z"
    local = forecast(frame, ForecastOptions("y", "at", 2, zone="Asia/Tokyo"), *_quiet())
    assert local.series[0].points[0].stamp == "2024-04-10T09:00:00"
    assert "Asia/Tokyo" in local.notes[0]


def _quiet() -> tuple[Callable[[float, str], None], Callable[[], None]]:
    return (lambda *_: None), (lambda: None)


def test_gaps_follow_the_season_and_are_counted() -> None:
    values = hourly(2, noise=0.01)
    holed = values.copy()
    holed[640:652] = np.nan
    made = asked(holed[:700], stamps(700), 24, history=80).series[0]
    assert (made.facts.gaps, made.facts.nulls, made.facts.fill) == (12, 12, "interpolate")
    filled = [point for point in made.history if point.filled]
    assert len(filled) == 12
    straight = np.interp(np.arange(640, 652), [639, 652], values[[639, 652]])
    along = np.array([point.value for point in filled])
    assert np.abs(along - values[640:652]).mean() < 0.5 * np.abs(straight - values[640:652]).mean()


@pytest.mark.parametrize(
    ("count", "status", "points"), [(2, SHORT, 0), (7, SHORT, 0), (8, SHORT, 1), (20, SHORT, 10), (40, OK, 13)]
)
def test_no_more_than_the_history_bears(count: int, status: ForecastStatus, points: int) -> None:
    made = asked(random_walk(5, count), stamps(count, "week"), 13)
    assert (made.status, len(made.series[0].points)) == (status, points)
    if status is SHORT:
        assert made.reason
    if points:
        assert made.series[0].backtest is not None
        assert made.series[0].backtest.origins >= 3


@pytest.mark.parametrize("count", [1120, 1200])
def test_a_year_ahead_has_the_season_of_three_years(count: int) -> None:
    """Origins half a year apart leave no two years before the first: nearer ones do, and the season is worth it."""
    days = np.arange(count + 365)
    print("seed 11")
    noise = np.random.default_rng(11).normal(0, 3, len(days))
    values = 100 + 30 * np.sin(2 * np.pi * (days - 80) / 365.25) + noise
    made = asked(values[:count], stamps(len(days), "day")[:count], 365).series[0]
    ahead = np.array([point.value for point in made.points])
    assert np.abs(ahead - values[count:]).mean() < 6
    within = [
        point.intervals[1].low <= value <= point.intervals[1].high
        for point, value in zip(made.points, values[count:], strict=True)
    ]
    assert np.mean(within) > 0.9
    assert made.backtest is not None
    assert made.backtest.combination.owa is not None
    assert made.backtest.combination.owa < 0.5


def test_few_errors_make_intervals_of_the_model_and_say_so() -> None:
    few, many = (asked(random_walk(6, count), stamps(count, "day"), 2).series[0] for count in (10, 60))
    assert few.interval_method is not None
    assert many.interval_method is not None
    assert few.interval_method.startswith("variance")
    assert many.interval_method.startswith("split-conformal")
    assert all(point.intervals for point in few.points)


def test_a_constant_has_a_value_and_no_interval() -> None:
    made = asked(np.full(50, 7.0), stamps(50), 3).series[0]
    assert (made.status, [point.value for point in made.points]) == (ForecastStatus.CONSTANT, [7.0] * 3)
    assert made.points[0].intervals == ()
    assert made.reason


HARD: dict[str, Callable[[], Array]] = {
    "zeros": lambda: np.zeros(60),
    "zeros but one": lambda: np.eye(1, 60, 30)[0],
    "zeros at the end": lambda: np.concatenate([np.random.default_rng(1).random(40), np.zeros(40)]),
    "negative": lambda: -random_walk(1, 80),
    "huge": lambda: np.random.default_rng(1).random(80) * 1.7e308,
    "tiny": lambda: np.random.default_rng(1).random(80) * 1e-308,
    "of both signs and huge": lambda: np.random.default_rng(1).choice([-1.7e308, 1.7e308], 80),
    "large with little change": lambda: 1e15 + np.random.default_rng(1).random(80),
    "one step": lambda: np.concatenate([np.zeros(40), np.ones(40)]),
    "explosive": lambda: np.exp(np.arange(80) / 2.0),
    "two values in turn": lambda: np.tile([1.0, 2.0], 40),
    "exact season": lambda: np.tile(np.arange(24.0), 30),
    "exact line": lambda: np.arange(80.0),
    "all null": lambda: np.full(60, np.nan),
    "half null": lambda: np.where(np.arange(120) % 2, np.nan, random_walk(3, 120)),
    "one value": lambda: np.concatenate([np.full(59, np.nan), [1.0]]),
    "none": lambda: np.empty(0),
    "infinite": lambda: np.where(np.arange(80) % 9, random_walk(4, 80), np.inf),
}


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("horizon", [1, 7, 48])
def test_hard_values(kind: str, horizon: int) -> None:
    values = HARD[kind]()
    made = asked(values, stamps(len(values)), horizon)
    assert len(made.series) == 1
    known = values[np.isfinite(values)] / 4
    lowest, highest = float(np.min(known, initial=0)), float(np.max(known, initial=0))
    for point in made.series[0].points:
        assert point.value / 4 <= highest + (highest - lowest) + 1
        assert point.value >= 0 or lowest < 0


def test_exact_patterns_are_continued() -> None:
    season = asked(HARD["exact season"](), stamps(720), 24).series[0]
    assert [round(point.value, 6) for point in season.points] == list(range(24))
    turns = asked(HARD["two values in turn"](), stamps(80), 4, periods=(2,)).series[0]
    assert [round(point.value, 6) for point in turns.points] == [1, 2, 1, 2]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=40),
    st.lists(st.integers(-(2**40), 2**52), max_size=40),
    st.sampled_from(list(Aggregate)),
    st.integers(1, 30),
)
def test_any_rows_at_all(values: list[float | None], moments: list[int], aggregate: Aggregate, horizon: int) -> None:
    rows = min(len(values), len(moments))
    numbers = np.array([math.nan if value is None else value for value in values[:rows]])
    asked(numbers, np.array(moments[:rows], dtype="datetime64[us]"), horizon, aggregate=aggregate)


def frame_of_groups(sizes: dict[str | None, int]) -> Any:
    times, names, numbers = [], [], []
    for seed, (name, size) in enumerate(sizes.items()):
        times.append(stamps(size, "day"))
        names += [name] * size
        numbers.append(random_walk(seed, size) + 100 * seed)
    return frame_of({"at": np.concatenate(times), "shop": names, "y": np.concatenate(numbers)})


def test_many_series_at_once() -> None:
    frame = frame_of_groups({"north": 120, "south": 90, None: 60, "new": 4})
    heard: list[float] = []
    options = ForecastOptions("y", "at", 7, group_by=("shop",))
    made = forecast(frame, options, lambda share, _: heard.append(share), lambda: None)
    assert_plain(made)
    assert [series.group["shop"] for series in made.series] == ["north", "south", None, "new"]
    assert [series.status for series in made.series] == [OK, OK, OK, SHORT]
    assert (made.groups, made.done, made.status) == (4, 4, OK)
    assert heard == sorted(heard)
    assert heard[-1] == 1
    alone = asked(random_walk(1, 90) + 100, stamps(90, "day"), 7)
    assert made.series[1].points == alone.series[0].points


def test_groups_by_several_columns() -> None:
    """Every combination that occurs is a series, of any kind of column, and gets its own rows."""
    count = 30
    shops, sizes, open_ = ["a", "b", "a", "b"], [1.5, 1.5, 2.0, None], [True, False, True, True]
    frame = frame_of(
        {
            "at": np.tile(stamps(count, "day"), 4),
            "shop": np.repeat(shops, count).tolist(),
            "size": [size for size in sizes for _ in range(count)],
            "open": np.repeat(open_, count).tolist(),
            "y": np.concatenate([random_walk(seed, count) + 1000 * seed for seed in range(4)]),
        }
    )
    made = forecast(frame, ForecastOptions("y", "at", 2, group_by=("shop", "size", "open")), *_quiet())
    levels = {
        (series.group["shop"], series.group["size"], series.group["open"]): round(series.points[0].value / 1000)
        for series in made.series
    }
    assert levels == {
        ("a", "1.5", "true"): 0,
        ("b", "1.5", "false"): 1,
        ("a", "2", "true"): 2,
        ("b", None, "true"): 3,
    }


def test_a_budget_leaves_the_small_ones_out_and_says_so() -> None:
    frame = frame_of_groups({name: 60 - place for place, name in enumerate("abcdef")})
    ticks = iter(range(100))
    options = ForecastOptions("y", "at", 3, group_by=("shop",), budget_seconds=2.5, most_groups=5)
    made = forecast(frame, options, *_quiet(), clock=lambda: float(next(ticks)))
    assert [series.status for series in made.series] == [OK, OK, *[ForecastStatus.OUT_OF_TIME] * 3]
    assert (made.groups, made.done) == (6, 2)
    assert any("5 largest" in note for note in made.notes)
    assert any("3 groups" in note for note in made.notes)


@pytest.mark.parametrize("unit", ["D", "s"])
def test_times_may_be_texts(unit: Any) -> None:
    """As SQLite keeps them. What is not all dates stays text."""
    values, times = weekly(3, 120), stamps(120, "day")
    texts = np.datetime_as_string(times, unit=unit).astype(object)
    assert asked(values, texts, 5).series == asked(values, times, 5).series
    texts[7] = None
    assert asked(values, texts, 5).series[0].facts.nulls == 1
    for wrong in ("soon", "2024-02-31", "2024"):
        texts[7] = wrong
        assert asked(values, texts, 5).status is ForecastStatus.NOT_A_TIME


def test_rows_are_counted_without_a_target() -> None:
    chance = np.random.default_rng(7)
    moments = np.datetime64("2024-01-01", "us") + chance.integers(0, 90 * 86_400_000_000, 4000)
    options = ForecastOptions(None, "at", 7, aggregate=Aggregate.COUNT, step="day")
    made = forecast(frame_of({"at": moments}), options, *_quiet()).series[0]
    assert (made.status, made.facts.step) == (OK, "day")
    assert 30 < made.points[0].value < 60


def test_who_asks_may_stop_it() -> None:
    class Stopped(Exception):
        pass

    calls = iter(range(100))

    def check() -> None:
        if next(calls) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        forecast(frame_of({"at": stamps(300), "y": hourly(1, 300)}), ForecastOptions("y", "at"), lambda *_: None, check)


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"target": "z"}, ForecastStatus.NO_SUCH_COLUMN, "'z'"),
        ({"time": "y"}, ForecastStatus.NOT_A_TIME, "'y'"),
        ({"target": "name"}, ForecastStatus.NOT_NUMERIC, "'name'"),
        ({"target": None}, ForecastStatus.INVALID_OPTION, "count"),
        ({"horizon": 0}, ForecastStatus.INVALID_OPTION, "horizon"),
        ({"horizon": 5000}, ForecastStatus.INVALID_OPTION, "1000"),
        ({"levels": (95.0,)}, ForecastStatus.INVALID_OPTION, "levels"),
        ({"periods": (1,)}, ForecastStatus.INVALID_OPTION, "periods"),
        ({"step": "fortnight"}, ForecastStatus.INVALID_OPTION, "fortnight"),
        ({"zone": "Mars/Olympus"}, ForecastStatus.INVALID_OPTION, "Europe/Berlin"),
        ({"group_by": ("nothing",)}, ForecastStatus.NO_SUCH_COLUMN, "'nothing'"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(changes: dict[str, Any], status: ForecastStatus, word: str) -> None:
    frame = frame_of({"at": stamps(30), "y": random_walk(1, 30), "name": ["a"] * 30})
    made = forecast(frame, ForecastOptions(**{"target": "y", "time": "at", **changes}), *_quiet())
    assert made.status is status
    assert made.reason is not None
    assert word in made.reason


def test_sums_of_a_sample_are_told_as_such() -> None:
    frame = frame_of({"at": stamps(60), "y": random_walk(1, 60)}, total_rows=1000)
    made = forecast(frame, ForecastOptions("y", "at", 2, aggregate=Aggregate.SUM), *_quiet())
    assert made.is_sample
    assert any("60 rows sampled of 1000" in note for note in made.notes)
