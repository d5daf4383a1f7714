"""Cron expressions: when they are true, across changes of the clock too, and what is said of a wrong one."""

import random
import time
import warnings
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from handlers.cron import CronError, parse

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def times(expression: str, after: str, count: int, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    """The next times in the zone, from a time in it on."""
    at = datetime.fromisoformat(after)
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    found = []
    for _ in range(count):
        following = parse(expression).next_after(at, zone)
        assert following is not None
        assert following.tzinfo is UTC
        at = following
        found.append(at.astimezone(zone).strftime("%m-%d %H:%M:%S%z"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/15 * * * *", ["03-10 12:15:00", "03-10 12:30:00"]),
        ("30 6 * * mon-fri", ["03-11 06:30:00", "03-12 06:30:00"]),
        ("0 0 1 * *", ["04-01 00:00:00", "05-01 00:00:00"]),
        ("5,35 8-9 * * *", ["03-11 08:05:00", "03-11 08:35:00"]),
        ("0 12 * JAN,jul *", ["07-01 12:00:00", "07-02 12:00:00"]),
        ("10/20 * * * *", ["03-10 12:10:00", "03-10 12:30:00"]),
        ("0 0 * * 7", ["03-15 00:00:00", "03-22 00:00:00"]),
        ("0 0 13 * fri", ["03-13 00:00:00", "03-20 00:00:00"]),
        ("0 0 */2 * fri", ["03-13 00:00:00", "03-27 00:00:00"]),
        ("0 0 29 2 *", ["02-29 00:00:00", "02-29 00:00:00"]),
        ("@weekly", ["03-15 00:00:00", "03-22 00:00:00"]),
        ("*/20 * * * * *", ["03-10 12:00:20", "03-10 12:00:40"]),
    ],
)
def test_the_next_times(expression: str, expected: list[str]) -> None:
    assert times(expression, "2026-03-10T12:00:00", 2) == [f"{at}+0000" for at in expected]


def test_it_agrees_with_another_implementation() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from croniter import croniter  # type: ignore[import-untyped]  # noqa: PLC0415 - it warns when it is loaded
    seed = random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(400):
        # Only one kind of day: where both are given there are two schools. It takes a range of one for no range.
        days = [field(chance, 1, 28), "*"] if chance.random() < 0.5 else ["*", field(chance, 0, 6)]
        day, weekday = days
        expression = f"{field(chance, 0, 59)} {field(chance, 0, 23)} {day} {field(chance, 1, 12)} {weekday}"
        after = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(3 * 365 * 86400))
        assert parse(expression).next_after(after, UTC_ZONE) == croniter(expression, after).get_next(datetime), (
            expression
        )


def field(chance: random.Random, low: int, high: int) -> str:
    first = chance.randint(low, high - 1)
    return chance.choice(
        [
            "*",
            str(first),
            f"{first}-{chance.randint(first + 1, high)}",
            f"*/{chance.randint(2, max(2, high // 2))}",
            ",".join(map(str, sorted({chance.randint(low, high) for _ in range(3)}))),
        ]
    )


def test_a_time_that_the_clock_skips_comes_as_much_later() -> None:
    daily = times("30 2 * * *", "2026-03-28T00:00:00", 3, BERLIN)
    assert daily == ["03-28 02:30:00+0100", "03-29 03:30:00+0200", "03-30 02:30:00+0200"]
    often = times("*/20 * * * *", "2026-03-29T01:30:00", 4, BERLIN)
    assert often == ["03-29 01:40:00+0100", "03-29 03:00:00+0200", "03-29 03:20:00+0200", "03-29 03:40:00+0200"]


def test_a_time_that_comes_twice_counts_once_but_every_hour_is_every_hour() -> None:
    daily = times("30 2 * * *", "2026-10-24T12:00:00", 2, BERLIN)
    assert daily == ["10-25 02:30:00+0200", "10-26 02:30:00+0100"]
    often = times("*/30 * * * *", "2026-10-25T01:45:00", 6, BERLIN)
    assert [at[6:11] + at[14:] for at in often] == [
        "02:00+0200",
        "02:30+0200",
        "02:00+0100",
        "02:30+0100",
        "03:00+0100",
        "03:30+0100",
    ]
    # From within the second of the two hours, what is left of the day.
    late = datetime(2026, 10, 25, 2, 40, fold=1, tzinfo=BERLIN)
    following = parse("50 2 * * *").next_after(late, BERLIN)
    assert following == datetime(2026, 10, 26, 2, 50, tzinfo=BERLIN)


def test_half_an_hour_may_come_twice_as_well() -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    often = times("*/15 * * * *", "2026-04-05T01:40:00", 4, lord_howe)
    assert [at[6:11] + at[14:] for at in often] == ["01:45+1100", "01:30+1030", "01:45+1030", "02:00+1030"]


# Each a zone and a moment at which its clock is moved, in UTC: by an hour and by half of one, forward and back, at
# midnight, and where the winter has its own way.
MOVES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),
]


def due(minutes: set[int], hours: set[int], zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """Every minute that the clock shows or skips, one after the other, and when that is."""
    found: set[datetime] = set()
    wall = (begin - timedelta(days=1)).astimezone(zone).replace(tzinfo=None)
    while wall < (end + timedelta(days=1)).astimezone(zone).replace(tzinfo=None):
        if wall.minute in minutes and wall.hour in hours:
            first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
            found |= {first, second} if first < second and len(hours) == 24 else {first}
        wall += timedelta(minutes=1)
    return sorted(at for at in found if begin < at <= end)


@pytest.mark.parametrize(("name", "moved"), MOVES)
def test_no_time_is_lost_or_doubled_where_clocks_are_moved(name: str, moved: datetime) -> None:
    chance, zone = random.Random(f"{name} {moved}"), ZoneInfo(name)
    begin, end = moved - timedelta(hours=4), moved + timedelta(hours=5)
    for _ in range(25):
        minutes = set(chance.sample(range(60), chance.randint(1, 6)))
        hours = set(range(24)) if chance.random() < 0.4 else set(chance.sample(range(5), chance.randint(1, 5)))
        listed = "*" if len(hours) == 24 else ",".join(map(str, sorted(hours)))
        expression = f"{','.join(map(str, sorted(minutes)))} {listed} * * *"
        cron, expected = parse(expression), due(minutes, hours, zone, begin, end)
        found: list[datetime] = []
        at = cron.next_after(begin, zone)
        while at is not None and at <= end:
            found.append(at)
            at = cron.next_after(at, zone)
        assert found == expected, expression
        # From any moment, as after a server was away.
        since = begin + timedelta(minutes=chance.randrange(9 * 60))
        following = [at for at in expected if at > since]
        if following:
            assert cron.next_after(since, zone) == following[0], (expression, since)


@pytest.mark.parametrize("expression", ["0 0 29 2 *", "0 0 29 2 mon", "59 23 31 12 *"])
def test_the_seldom_ones_are_found_quickly(expression: str) -> None:
    began = time.perf_counter()
    assert parse(expression).next_after(datetime(2096, 3, 1, tzinfo=UTC), UTC_ZONE) is not None
    assert time.perf_counter() - began < 0.1


def test_the_calendar_ends() -> None:
    assert parse("0 0 1 1 *").next_after(datetime(9999, 6, 1, tzinfo=UTC), UTC_ZONE) is None


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "it has 0 fields; give five - minute, hour, day of the month, month, day of the week"),
        ("* * * *", "it has 4 fields"),
        ("* * * * * * *", "it has 7 fields"),
        ("60 * * * *", "the field minute is '60': '60' is not from 0 to 59"),
        ("60 * * * * *", "the field second is '60': '60' is not from 0 to 59"),
        ("0 24 * * *", "the field hour is '24': '24' is not from 0 to 23"),
        ("0 0 0 * *", "the field day of the month is '0': '0' is not from 1 to 31"),
        ("0 0 * 13 *", "the field month is '13': '13' is not from 1 to 12 or a name such as jan"),
        ("0 0 * foo *", "the field month is 'foo'"),
        ("0 0 * * 8", "the field day of the week is '8': '8' is not from 0 to 7 or a name such as sun"),
        ("0 0 31 4,6 *", "the field day of the month is '31', which the month '4,6' never has"),
        ("*/0 * * * *", "the field minute is '*/0': the step 0 is not from 1 to 59"),
        ("30-10 * * * *", "the field minute is '30-10': the range '30-10' ends before it begins"),
        ("1,,2 * * * *", "the field minute is '1,,2': '' is none of *, a number, a range such as 1-5"),
        ("*-5 * * * *", "the field minute is '*-5'"),
        ("-1 * * * *", "the field minute is '-1'"),
        ("1.5 * * * *", "the field minute is '1.5'"),
        ("٣ * * * *", "the field minute is '٣'"),
        ("0 0 L * *", "the field day of the month is 'l'"),
        ("@reboot", "'@reboot' is not known; use one of @hourly"),
    ],
)
def test_a_wrong_one_is_told_which_field_is_wrong(expression: str, complaint: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(expression)
    assert str(caught.value).startswith(complaint), str(caught.value)
