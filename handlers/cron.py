"""Cron expressions: when they are next true in a time zone, and which field of one is wrong.

Five fields - minute, hour, day of the month, month, day of the week - or six with the second before them. A field is a
list of numbers or names, ranges `a-b` and steps `*/n`, `a-b/n`. Where both kinds of day are given, either is enough, as
in every cron.

Where clocks are put forward, a time that they skip comes as much later as they skip. Where they are put back, a time
that comes twice counts once, the first time - but every hour is every hour, both times.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MAX_LENGTH = 200
# The 29th of February comes again after eight years at the latest: around 1900, 2100, ...
_LONGEST_WAIT_DAYS = 8 * 366 + 1
# The calendar ends with the next, which it is already somewhere.
_LAST_DAY = date(9999, 12, 30)
# No clock is put forward or back by more.
_NEAR = timedelta(hours=3)
_ITEM = re.compile(r"(?P<first>\*|[0-9]{1,4}|[a-z]{3})(-(?P<last>[0-9]{1,4}|[a-z]{3}))?(/(?P<step>[0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("second", 0, 59, {}),
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


class CronError(ValueError):
    """The text is not a cron expression; the message says which field is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The times at which a cron expression is true, each field's values in their order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        """The first time later than an aware `after`, in UTC; None beyond the calendar's end."""
        after = after.astimezone(UTC)
        if after.date() >= _LAST_DAY:
            return None
        least, most = _offsets(after, zone)
        # What the clock skipped an hour ago is still to come, and what it showed an hour ago may come again.
        wall: datetime | None = (after + least).replace(tzinfo=None)
        best: datetime | None = None
        while wall is not None and (wall := self._next_wall(wall)):
            if best is not None and wall - most >= best.replace(tzinfo=None):
                break
            for at in self._moments(wall, zone):
                if at > after and (best is None or at < best):
                    best = at
                    most = _offsets(best, zone)[1]
        return best

    def _moments(self, wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
        """When the clock shows a time that is due, in UTC: once, and the second time as well if every hour counts."""
        first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        # Of a time that the clock skips, the offset of the second is the larger.
        comes_twice = (first.utcoffset() or timedelta()) > (second.utcoffset() or timedelta())
        moments = (first, second) if comes_twice and len(self.hours) == 24 else (first,)
        return tuple(moment.astimezone(UTC) for moment in moments)

    def _next_wall(self, after: datetime) -> datetime | None:
        """The first time on the wall later than `after`."""
        day = after.date()
        if self._is_day(day) and (at := self._next_time(after.time())):
            return datetime.combine(day, at)
        for _ in range(_LONGEST_WAIT_DAYS):
            if day >= _LAST_DAY:
                return None
            day += timedelta(days=1)
            if self._is_day(day):
                return datetime.combine(day, time(self.hours[0], self.minutes[0], self.seconds[0]))
        return None

    def _is_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def _next_time(self, after: time) -> time | None:
        """The first time of the day later than `after`."""
        for hour in self.hours:
            if hour < after.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < (after.hour, after.minute):
                    continue
                for second in self.seconds:
                    if (hour, minute, second) > (after.hour, after.minute, after.second):
                        return time(hour, minute, second)
        return None


def _offsets(moment: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The least and the most that the zone is off UTC around a moment."""
    nearby = [(moment + hours).astimezone(zone) for hours in (-_NEAR, timedelta(), _NEAR)]
    offsets = [at.utcoffset() or timedelta() for at in nearby]
    return min(offsets), max(offsets)


def parse(text: str) -> Cron:
    """Raises CronError."""
    expression = _NICKNAMES.get(text.strip().lower(), text.strip().lower())
    if expression.startswith("@"):
        raise CronError(f"{text.strip()[:40]!r} is not known; use one of {', '.join(_NICKNAMES)}, or five fields")
    parts = expression.split()
    if len(parts) not in (5, 6) or len(text) > MAX_LENGTH:
        raise CronError(
            f"it has {len(parts)} fields; give five - minute, hour, day of the month, month, day of the week - or six "
            "with the second first"
        )
    texts = parts if len(parts) == 6 else ["0", *parts]
    seconds, minutes, hours, days, months, weekdays = (
        _values(field, part) for field, part in zip(_FIELDS, texts, strict=True)
    )
    cron = Cron(
        tuple(sorted(seconds)),
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        either_day=not texts[3].startswith("*") and not texts[5].startswith("*"),
    )
    _check_days(cron, texts)
    return cron


def _check_days(cron: Cron, texts: list[str]) -> None:
    """A day that no month has would be waited for in vain."""
    longest = max(calendar.monthrange(2024, month)[1] for month in cron.months)
    if min(cron.days) > longest and not cron.either_day:
        raise CronError(f"the field day of the month is {texts[3]!r}, which the month {texts[4]!r} never has")


def _values(field: _Field, text: str) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        found |= _item(field, item, text)
    return found


def _item(field: _Field, item: str, text: str) -> set[int]:
    match = _ITEM.fullmatch(item)
    if match is None or (match["first"] == "*" and match["last"]):
        raise _wrong(field, text, f"{item!r} is none of *, a number, a range such as 1-5 and a step such as */15")
    first, last = field.low, field.high
    if match["first"] != "*":
        first = _number(field, match["first"], text)
        last = first if match["last"] is None else _number(field, match["last"], text)
        if match["last"] is None and match["step"]:
            last = field.high
    elif field.names is _DAYS:
        last = 6
    step = int(match["step"] or 1)
    if not 1 <= step <= field.high:
        raise _wrong(field, text, f"the step {step} is not from 1 to {field.high}")
    if first > last:
        raise _wrong(field, text, f"the range {item!r} ends before it begins")
    return set(range(first, last + 1, step))


def _number(field: _Field, text: str, whole: str) -> int:
    number = field.names.get(text, -1) if text.isalpha() else int(text)
    if not field.low <= number <= field.high:
        names = f" or a name such as {next(iter(field.names))}" if field.names else ""
        raise _wrong(field, whole, f"{text!r} is not from {field.low} to {field.high}{names}")
    return number


def _wrong(field: _Field, text: str, why: str) -> CronError:
    return CronError(f"the field {field.name} is {text!r}: {why}")
