"""Profiles of times, booleans, JSON and bytes."""

import datetime
import json
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.columns import Kind, column_of
from analysis.profile.accumulator import ColumnAccumulator, profile_column
from analysis.profile.figures import ColumnProfile, DocumentFigures, TimeFigures

DAY = datetime.timedelta(days=1)


def times(profile: ColumnProfile) -> TimeFigures:
    assert profile.times is not None
    return profile.times


def naive(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - sources have times without zones


def without_quantiles(figures: TimeFigures) -> TimeFigures:
    return msgspec.structs.replace(figures, quantiles=[])


def documents(profile: ColumnProfile) -> DocumentFigures:
    assert profile.documents is not None
    return profile.documents


@given(st.lists(st.datetimes(min_value=naive(1890, 1, 1)), min_size=1, max_size=30))
def test_timestamps_against_plain_references(values: list[datetime.datetime]) -> None:
    profile = profile_column(column_of("c", values))
    figures = times(profile)
    assert profile.distinct == len(set(values))
    assert (figures.min, figures.max) == (min(values).isoformat(), max(values).isoformat())
    assert figures.weekdays == [sum(value.weekday() == day for value in values) for day in range(7)]
    days = sorted({value.date() for value in values})
    assert figures.days == len(days)
    assert figures.missing_days == (days[-1] - days[0]).days + 1 - len(days)
    longest = max([(after - before).days - 1 for before, after in pairwise(days)], default=0)
    assert (figures.gaps[0].days if figures.gaps else 0) == longest


@pytest.mark.parametrize(
    ("values", "granularity"),
    [
        (["2024-01-01", "1999-01-01"], "year"),
        (["2024-01-01", "1999-05-01"], "month"),
        (["2024-01-02"], "day"),
        (["2024-01-01T05"], "hour"),
        (["2024-01-01T05:30"], "minute"),
        (["2024-01-01T05:30:01"], "second"),
        (["2024-01-01T05:30:01.250"], "millisecond"),
        (["1960-01-01T05:30:01.250001"], "microsecond"),
    ],
)
def test_granularity(values: list[str], granularity: str) -> None:
    profile = profile_column(column_of("c", np.array(values, dtype="datetime64[us]")))
    assert times(profile).granularity == granularity


def test_the_gaps_of_dates() -> None:
    first = datetime.date(2024, 2, 27)
    values = [first, first + 2 * DAY, first + 2 * DAY, first + 9 * DAY, None]
    profile = profile_column(column_of("c", values))
    figures = times(profile)
    assert profile.kind == "date"
    assert (figures.min, figures.max, figures.days, figures.missing_days) == ("2024-02-27", "2024-03-07", 3, 7)
    assert [msgspec.structs.astuple(gap) for gap in figures.gaps] == [
        ("2024-02-29", "2024-03-07", 6),
        ("2024-02-27", "2024-02-29", 1),
    ]
    assert (profile.top[0].value, profile.top[0].count) == ("2024-02-29", 2)
    assert figures.order is not None
    assert figures.order.non_decreasing


def test_times_with_a_zone_say_so() -> None:
    value = datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.timezone(2 * datetime.timedelta(hours=1)))
    figures = times(profile_column(column_of("c", [value])))
    assert (figures.aware, figures.min) == (True, "2024-01-01T10:00:00Z")


def test_times_beyond_the_budget() -> None:
    seconds = np.random.default_rng(1).integers(0, 10**9, size=100_000)
    values = np.datetime64("2000-01-01", "s") + seconds
    accumulator = ColumnAccumulator("c", Kind.TIMESTAMP, 64 * 1024)
    for part in np.array_split(values, 10):
        accumulator.add(column_of("c", part))
    profile, exact = accumulator.profile(), profile_column(column_of("c", values))
    assert profile.basis["quantiles"] != "exact"
    assert without_quantiles(times(profile)) == without_quantiles(times(exact))


def test_booleans() -> None:
    profile = profile_column(column_of("c", [True, False, None, True]))
    assert profile.booleans is not None
    assert (profile.booleans.true, profile.booleans.false, profile.distinct, profile.nulls) == (2, 1, 2, 1)
    assert [(top.value, top.count) for top in profile.top] == [(True, 2), (False, 1)]
    assert profile_column(column_of("c", [False], Kind.BOOLEAN)).constant


def test_json_tells_types_and_keys() -> None:
    values: list[Any] = [{"a": 1, "b": None}, {"a": "x"}, '{"a": [1]}', "[1, 2]", "3", "no json", None]
    profile = profile_column(column_of("c", values, Kind.JSON))
    figures = documents(profile)
    assert figures.types == {"array": 1, "invalid": 1, "number": 1, "object": 3}
    assert [(key.key, key.count, key.types) for key in figures.keys] == [
        ("a", 3, {"array": 1, "number": 1, "string": 1}),
        ("b", 1, {"null": 1}),
    ]
    assert (figures.keys[0].share, figures.more_keys) == (1.0, False)


def test_many_different_documents_stay_within_the_budget() -> None:
    """Every value differs, and so do most keys: neither may be kept."""
    accumulator = ColumnAccumulator("c", Kind.JSON, 128 * 1024)
    for batch in range(10):
        rows = [json.dumps({"id": n, f"key {n}": "x" * 50}) for n in range(batch * 1000, batch * 1000 + 1000)]
        accumulator.add(column_of("c", rows, Kind.JSON))
    figures = documents(accumulator.profile())
    assert (figures.types, figures.more_keys, len(figures.keys)) == ({"object": 10_000}, True, 200)
    assert (figures.keys[0].key, figures.keys[0].count) == ("id", 10_000)


def test_json_that_would_exhaust_a_parser_is_told_apart() -> None:
    profile = profile_column(column_of("c", ["[" * 100_000, '"' + "x" * 2**20 + '"'], Kind.JSON))
    assert documents(profile).types == {"invalid": 1, "large": 1}


def test_bytes_are_measured_and_never_told() -> None:
    profile = profile_column(column_of("c", [b"", b"secret", b"secret", None]))
    assert profile.binary is not None
    assert profile.binary.lengths is not None
    assert (profile.binary.empty, profile.binary.lengths.max, profile.distinct) == (1, 6, 2)
    assert profile.top == []
    assert b"secret" not in msgspec.json.encode(profile)
