"""What is remembered between events: plain structs, so that whoever goes on after a crash has all of it."""

from __future__ import annotations

from statistics import median

import msgspec

from analysis.detections.events import DAY, HOUR, Event
from analysis.detections.windows import Habit, Tally, Window

HOURS_A_WEEK = 168
_HABIT_DAYS = 35
HISTORY_DAYS = 63
_HALF_LIFE_DAYS = 28


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where somebody was let in last."""

    at: int
    id: str
    latitude: float
    longitude: float
    network_owner: str


class Week(msgspec.Struct, array_like=True):
    """How often somebody was active in each hour of the week; old weeks count less and less.

    `since` is the day of the first.
    """

    bins: list[float]
    total: float = 0.0
    number: int = 0
    day: int = 0
    since: int = 0

    def add(self, at: int) -> None:
        day = at // DAY
        if day > self.day:
            if self.day:
                factor = 0.5 ** ((day - self.day) / _HALF_LIFE_DAYS)
                self.bins = [each * factor for each in self.bins]
                self.total *= factor
            self.day = day
        self.bins[hour_of_week(at)] += 1.0
        self.total += 1.0
        self.number += 1

    def share(self, at: int) -> float:
        """The share of that hour: the mean over it and its neighbours, on all days of the same sort."""
        if not self.total:
            return 0.0
        at_hour = hour_of_week(at)
        day, hour = divmod(at_hour, 24)
        days = range(5) if day < 5 else range(5, 7)
        found = [self.bins[(each * 24 + hour + shift) % HOURS_A_WEEK] for each in days for shift in (-1, 0, 1)]
        return sum(found) / len(found) / self.total


class Days(msgspec.Struct, array_like=True):
    """How many rows somebody read on each day, the newest last; days without any are 0.

    Of `tainted` days nothing is learnt. `told` and `told_week` are how many rows of a day and of a week were told of,
    and on which day.
    """

    day: int
    rows: list[int]
    tainted: list[int] = []
    told: tuple[int, int] = (0, 0)
    told_week: tuple[int, int] = (0, 0)

    def add(self, at: int, rows: int) -> None:
        for _ in range(min(at // DAY - self.day, HISTORY_DAYS)):
            self.rows.append(0)
        self.day = max(self.day, at // DAY)
        self.rows[-1] += rows
        del self.rows[:-HISTORY_DAYS]

    def past(self) -> list[int]:
        """The days before today on which something was read."""
        first = self.day - len(self.rows) + 1
        return [each for number, each in enumerate(self.rows[:-1], first) if each and number not in self.tainted]

    def taint(self) -> None:
        """Today is no measure for later days."""
        if self.day not in self.tainted:
            self.tainted = [*self.tainted[-HISTORY_DAYS:], self.day]

    def percentile_95(self) -> int:
        past = sorted(self.past())
        return past[min(len(past) - 1, int(len(past) * 0.95))] if past else 0

    def weeks(self) -> list[int]:
        """Sums of seven days, the newest last; the first may not be whole and is left out."""
        ends = range(len(self.rows), 6, -7)
        return [sum(self.rows[end - 7 : end]) for end in ends][::-1]


class Raised(msgspec.Struct, array_like=True):
    """That an alert was raised: when first, and how many hits it has since."""

    at: int
    hits: int


class State(msgspec.Struct, kw_only=True):
    """All that is remembered of one stream. `watermark`: events up to there were looked at; `pending` came later.

    `frozen` are accounts of whom nothing is learnt, and since when: a grave alert about them is open.
    """

    watermark: int = 0
    newest: int = 0
    started_at: int = 0
    looked_at: int = 0
    late: int = 0
    pending: dict[str, Event] = {}
    kinds: dict[str, int] = {}
    with_place: int = 0
    windows: dict[str, dict[str, Window]] = {}
    seen: dict[str, dict[str, int]] = {}
    places: dict[str, Place] = {}
    weeks: dict[str, Week] = {}
    days: dict[str, Days] = {}
    peers: tuple[int, int | None] | None = None
    failures: dict[int, int] = {}
    tallies: dict[str, dict[str, Tally]] = {}
    habits: dict[str, Habit] = {}
    raised: dict[str, Raised] = {}
    frozen: dict[str, int] = {}
    swept_at: int = 0

    def window(self, name: str, entity: str) -> Window:
        of = self.windows.get(name)
        if of is None:
            of = self.windows[name] = {}
        found = of.get(entity)
        if found is None:
            found = of[entity] = Window(entries=[], values={})
        return found

    def tally(self, name: str, entity: str) -> Tally:
        of = self.tallies.setdefault(name, {})
        found = of.get(entity)
        if found is None:
            found = of[entity] = Tally(failed={}, let_in={}, accounts={})
        return found

    def sweep(self, now: int) -> None:
        """Forgets what no rule asks for any more; once an hour of event time."""
        if now - self.swept_at < HOUR:
            return
        self.swept_at = now
        for of in self.windows.values():
            # One that was looked into and not added to is empty.
            for entity in [each for each, window in of.items() if window.is_over(now - HOUR)]:
                del of[entity]
        for tallies in self.tallies.values():
            for entity in [each for each, tally in tallies.items() if tally.is_over(now // HOUR)]:
                del tallies[entity]
        for key in [each for each, habit in self.habits.items() if habit.day < now // DAY - _HABIT_DAYS]:
            del self.habits[key]
        for last in self.seen.values():
            for key in [each for each, at in last.items() if at < now - 365 * DAY]:
                del last[key]
        self.raised = {key: each for key, each in self.raised.items() if each.at > now - 2 * HOUR}
        self.failures = {each: count for each, count in self.failures.items() if each > now // (10 * 60_000_000) - 1008}


def hour_of_week(at: int) -> int:
    """0 is Monday from 00:00 to 01:00 UTC. The 1st of January 1970 was a Thursday."""
    return (at // HOUR + 72) % HOURS_A_WEEK


def spread(values: list[int]) -> tuple[float, float]:
    """Median and median absolute deviation."""
    middle = median(values)
    return middle, median([abs(each - middle) for each in values])
