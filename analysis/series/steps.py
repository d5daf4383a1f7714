"""The step of a series: how far apart its stamps are, fixed (seconds to weeks), of weekdays, or of months and years."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.columns import Array


class Unit(StrEnum):
    """What a step is counted in."""

    MICROSECOND = "microsecond"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    BUSINESS_DAY = "business day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


SECOND = 1_000_000
MINUTE, HOUR, DAY, WEEK = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND, 7 * 86_400 * SECOND

# Longest first: a step is told in the longest unit that divides it.
FIXED: tuple[tuple[Unit, int], ...] = (
    (Unit.WEEK, WEEK),
    (Unit.DAY, DAY),
    (Unit.HOUR, HOUR),
    (Unit.MINUTE, MINUTE),
    (Unit.SECOND, SECOND),
    (Unit.MICROSECOND, 1),
)
_MONTHS = {Unit.MONTH: 1, Unit.YEAR: 12}
_LAST_DAY = 31
# A distance or phase of fewer than so many stamps is not that of the series.
_COMMON = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """`count` units. `anchor` is where in a step its stamps stand: microseconds after 1970 modulo the step.

    Of months and years, `anchor` is the time within the day, `day` the day of the month (31: its last), and `month` how
    many months after a multiple of the step; of weekdays `anchor` is the time within the day.
    """

    unit: Unit
    count: int = 1
    anchor: int = 0
    day: int = 1
    month: int = 0

    @property
    def text(self) -> str:
        """`hour`, `15 minutes`, `3 months`."""
        return str(self.unit) if self.count == 1 else f"{self.count} {self.unit}s"

    @property
    def microseconds(self) -> float:
        """The length, of months and years the mean one."""
        if self.unit in _MONTHS:
            return self.months * 365.2425 / 12 * DAY
        if self.unit is Unit.BUSINESS_DAY:
            return self.count * DAY * 7 / 5
        return self.count * dict(FIXED)[self.unit]

    @property
    def months(self) -> int:
        """How many months, 0 of a fixed step."""
        return self.count * _MONTHS.get(self.unit, 0)

    def numbers(self, stamps: Array, *, nearest: bool = False) -> Array:
        """int64: which step each stamp (datetime64[us]) falls in, or, `nearest`, whose stamp is the nearest."""
        times = stamps.astype("datetime64[us]").astype(np.int64)
        if self.months:
            return np.asarray((month_numbers(stamps) - self.month) // self.months)
        if self.unit is Unit.BUSINESS_DAY:
            weekdays = np.busday_count("1970-01-01", stamps.astype("datetime64[D]"))
            return np.asarray(weekdays, dtype=np.int64) // self.count
        length = int(self.microseconds)
        return np.asarray((times - self.anchor + (length // 2 if nearest else 0)) // length)

    def stamps(self, numbers: Array) -> Array:
        """datetime64[us]: the stamps of these steps."""
        if self.months:
            first = (numbers * self.months + self.month).astype("datetime64[M]")
            days = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
            day = np.minimum(days, self.day) - 1
            return np.asarray(first.astype("datetime64[D]").astype("datetime64[us]") + day * DAY + self.anchor)
        if self.unit is Unit.BUSINESS_DAY:
            days = np.busday_offset("1970-01-01", numbers * self.count, roll="forward")
            return np.asarray(np.asarray(days).astype("datetime64[us]") + np.int64(self.anchor))
        return np.asarray((numbers * int(self.microseconds) + self.anchor).astype("datetime64[us]"))


def month_numbers(stamps: Array) -> Array:
    """int64: months since January 1970."""
    return np.asarray(stamps.astype("datetime64[M]").astype(np.int64))


def fixed_step(length: int, anchor: int = 0) -> Step:
    """The step of so many microseconds, in the longest unit that divides it."""
    unit, size = next((unit, size) for unit, size in FIXED if length % size == 0)
    return Step(unit, length // size, anchor % length)


def named_step(name: str) -> Step | None:
    """The step of that name (`hour`, `15 minutes`, `quarter`), anchored where calendars begin; None of no name."""
    first, _, rest = name.strip().lower().partition(" ")
    number, word = (int(first), rest) if first.isdecimal() and rest else (1, name.strip().lower())
    word = word.removesuffix("s")
    if word == "quarter":
        number, word = number * 3, "month"
    if word not in set(Unit) or not 0 < number <= 10_000:
        return None
    monday = 4 * DAY if word == Unit.WEEK else 0
    return Step(Unit(word), number, anchor=monday)


# Periods of the calendar, in microseconds: an hour's, a day's, a week's and a year's round.
_ROUNDS = (HOUR, DAY, WEEK, round(365.25 * DAY))


def calendar_periods(step: Step) -> tuple[int, ...]:
    """How many steps the rounds of the calendar take: 24 and 168 (and 8766) of hours, 7 of days, 12 of months."""
    if step.months:
        return (12 // step.months,) if 12 % step.months == 0 and step.months < 12 else ()
    if step.unit is Unit.BUSINESS_DAY:
        return (5, 261) if step.count == 1 else ()
    periods = (length / step.microseconds for length in _ROUNDS)
    return tuple(round(period) for period in periods if period > 1.5 and abs(period - round(period)) < 0.27)


def step_of(stamps: Array) -> tuple[Step, float] | None:
    """The step of sorted stamps without repetition, and which share of the distances is a multiple of it.

    None where no step fits nine in ten distances: such stamps are moments, not a series, and want to be counted or
    averaged by a step of the calendar (`bucket_step`).
    """
    if len(stamps) < 3:
        return None
    times = stamps.astype("datetime64[us]").astype(np.int64)
    monthly = _monthly(stamps, times)
    if monthly is not None:
        return monthly
    distances = np.diff(times)
    for length in _candidate_lengths(distances):
        multiples = np.maximum(np.round(distances / length), 1)
        fits = np.abs(distances - multiples * length) <= 0.05 * length
        # Five steps wide on the median would be a series of gaps.
        if fits.mean() >= 0.9 and np.median(multiples) <= 3:
            step = fixed_step(length, _anchor(times, length))
            return (_weekdays(stamps, step) or step), float(fits.mean())
    return None


def bucket_step(stamps: Array, least: int = 12) -> Step | None:
    """The finest step of the calendar of which nine in ten have a stamp; failing that, the finest with half of them.

    Stamps are sorted. None where even the finest would have fewer than `least` steps.
    """
    names = ("second", "minute", "15 minutes", "hour", "day", "week", "month", "quarter", "year")
    steps = [step for step in map(named_step, names) if step is not None]
    for wanted in (0.9, 0.5):
        for step in steps:
            numbers = step.numbers(stamps)
            span = int(numbers[-1] - numbers[0]) + 1
            if span < least:
                break
            if 1 + np.count_nonzero(np.diff(numbers)) >= wanted * span:
                return step
    return None


def _candidate_lengths(distances: Array) -> list[int]:
    """The commonest distance, if it is common at all, and the round one nearest to the median; the larger first."""
    values, counts = np.unique(distances, return_counts=True)
    commonest = [int(values[np.argmax(counts)])] if counts.max() >= _COMMON * len(distances) else []
    median = float(np.median(distances))
    size = next(size for _, size in FIXED if median >= 0.9 * size or size == 1)
    rounded = max(size, round(median / size) * size)
    return sorted({*commonest, rounded}, reverse=True)


def _anchor(times: Array, length: int) -> int:
    """Where in a step most stamps stand; the middle of them (on a circle) where they scatter."""
    values, counts = np.unique(times % length, return_counts=True)
    if counts.max() >= _COMMON * len(times):
        return int(values[np.argmax(counts)])
    turns = np.exp(2j * np.pi * (values / length))
    angle = float(np.angle(np.sum(turns * counts)))
    unit = next((size for _, size in FIXED if length >= 20 * size), 1)
    return round(angle / (2 * np.pi) * length / unit) * unit % length


def _weekdays(stamps: Array, step: Step) -> Step | None:
    """The step of weekdays, where days have no Saturdays and Sundays but nearly all others."""
    if (step.unit, step.count) != (Unit.DAY, 1) or len(stamps) < 10:
        return None
    days = stamps.astype("datetime64[D]")
    weekdays = int(np.busday_count(days[0], days[-1])) + 1
    if not np.is_busday(days).all() or len(stamps) < 0.7 * weekdays:
        return None
    return Step(Unit.BUSINESS_DAY, 1, anchor=step.anchor % DAY)


def _monthly(stamps: Array, times: Array) -> tuple[Step, float] | None:
    """The step in months, where stamps are as many months apart and on about the same day of it."""
    if np.median(np.diff(times)) < 27 * DAY:
        return None
    months = month_numbers(stamps)
    distances = np.diff(months)
    values, counts = np.unique(distances, return_counts=True)
    commonest = int(values[np.argmax(counts)])
    if commonest < 1:
        return None
    fits = float(np.mean((distances > 0) & (distances % commonest == 0)))
    days = stamps.astype("datetime64[D]")
    day_numbers = (days - stamps.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    lasts = ((days + 1).astype("datetime64[M]") != stamps.astype("datetime64[M]")).mean()
    if fits < 0.9 or (lasts < 0.9 and np.ptp(np.quantile(day_numbers, [0.05, 0.95])) > 3):
        return None
    day = _LAST_DAY if lasts >= 0.9 else int(np.median(day_numbers))
    unit, count = (Unit.YEAR, commonest // 12) if commonest % 12 == 0 else (Unit.MONTH, commonest)
    return Step(unit, count, _anchor(times, DAY), day, int(months[-1] % commonest)), fits
