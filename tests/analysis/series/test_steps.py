"""The step of stamps, of calendars and of names."""

import numpy as np
import pytest
from series_samples import stamps

from analysis.columns import Array
from analysis.series.steps import Unit, bucket_step, calendar_periods, named_step, step_of


@pytest.mark.parametrize(
    ("made", "text", "following"),
    [
        (np.arange("2024-01-01", "2024-02-01", dtype="datetime64[h]"), "hour", "2024-02-01T00"),
        (
            np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-02-01"), np.timedelta64(15, "m")),
            "15 minutes",
            "2024-02-01T00",
        ),
        (np.arange("2023-12-01", "2024-02-29", dtype="datetime64[D]"), "day", "2024-02-29"),
        (
            np.arange(np.datetime64("2023-01-04"), np.datetime64("2024-02-28"), np.timedelta64(7, "D")),
            "week",
            "2024-02-28",
        ),
        (np.arange("2020-01", "2024-02", dtype="datetime64[M]"), "month", "2024-02-01"),
        (
            np.arange(np.datetime64("2020-01"), np.datetime64("2024-04"), np.timedelta64(3, "M")),
            "3 months",
            "2024-04-01",
        ),
        (np.arange("1990", "2024", dtype="datetime64[Y]"), "year", "2024-01-01"),
        (np.array([f"{year}-07-15" for year in range(1990, 2024)], dtype="datetime64[D]"), "year", "2024-07-15"),
    ],
)
def test_the_step_and_what_comes_next(made: Array, text: str, following: str) -> None:
    moments = made.astype("datetime64[us]")
    found = step_of(moments)
    assert found is not None
    step, fits = found
    assert (step.text, fits) == (text, 1.0)
    numbers = step.numbers(moments, nearest=True)
    assert np.array_equal(step.stamps(numbers), moments)
    assert step.stamps(numbers[-1:] + 1)[0] == np.datetime64(following, "us")


def test_ends_of_months_stay_ends_of_months() -> None:
    months = np.arange("2023-01", "2024-02", dtype="datetime64[M]")
    found = step_of(((months + 1).astype("datetime64[D]") - 1).astype("datetime64[us]"))
    assert found is not None
    assert found[0].text == "month"
    ahead = found[0].stamps(np.arange(3) + found[0].numbers(np.array(["2024-01-31"], dtype="datetime64[us]"))[0])
    assert [str(stamp)[:10] for stamp in ahead] == ["2024-01-31", "2024-02-29", "2024-03-31"]


def test_days_without_weekends_are_weekdays() -> None:
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    open_days = days[np.is_busday(days)].astype("datetime64[us]")
    found = step_of(open_days)
    assert found is not None
    assert found[0].unit is Unit.BUSINESS_DAY
    friday = found[0].numbers(np.array(["2024-03-01"], dtype="datetime64[us]"))
    assert str(found[0].stamps(friday + 1)[0])[:10] == "2024-03-04"


def test_moments_have_no_step_but_a_bucket() -> None:
    chance = np.random.default_rng(1)
    moments = np.sort(np.datetime64("2024-01-01", "us") + chance.integers(0, 200 * 86_400_000_000, 5000))
    assert step_of(np.unique(moments)) is None
    bucket = bucket_step(moments)
    assert bucket is not None
    assert bucket.text in {"hour", "day"}


def test_jitter_does_not_change_the_step() -> None:
    chance = np.random.default_rng(2)
    found = step_of(stamps(500) + chance.integers(-60, 60, 500) * 1_000_000)
    assert found is not None
    assert found[0].text == "hour"


def test_periods_of_the_calendar() -> None:
    wanted = {
        "hour": (24, 168, 8766),
        "15 minutes": (4, 96, 672, 35064),
        "day": (7, 365),
        "week": (52,),
        "month": (12,),
        "quarter": (4,),
        "year": (),
        "business day": (5, 261),
    }
    steps = {name: named_step(name) for name in wanted}
    assert {name: calendar_periods(step) for name, step in steps.items() if step is not None} == wanted


def test_names_that_are_no_steps() -> None:
    assert [named_step(name) for name in ("fortnight", "", "0 days", "-1 days", "99999 days", "h our")] == [None] * 6
