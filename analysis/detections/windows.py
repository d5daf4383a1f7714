"""What is remembered of the last while: of minutes, of a day, and of days on which the same was done."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from analysis.detections.events import HOUR, Event

# Of one entity; what floods is counted, not kept.
MOST_ENTRIES = 2_000
# Whose names are kept of one origin.
MOST_ACCOUNTS = 500
HOURS_A_DAY = 24
# Among so many failures to each success somebody guesses.
_GUESSES_A_SUCCESS = 3


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An event within a window: when, which, what of it is counted as distinct, and how many it stands for."""

    at: int
    id: str
    value: str
    count: int


class Window(msgspec.Struct, array_like=True):
    """The events of the last while, with how many they are and how often each value."""

    entries: list[Entry] = []
    total: int = 0
    values: dict[str, int] = {}

    def add(self, event: Event, value: str, span: int) -> None:
        """`span` is how far back the window goes, in microseconds."""
        self.prune(event.at - span)
        self.entries.append(Entry(event.at, event.id, value, event.count))
        self.total += event.count
        self.values[value] = self.values.get(value, 0) + event.count
        if len(self.entries) > MOST_ENTRIES:
            self._drop(1)

    def prune(self, before: int) -> None:
        """Forgets what happened at `before` or earlier."""
        stale = 0
        for entry in self.entries:
            if entry.at > before:
                break
            stale += 1
        if stale:
            self._drop(stale)

    def is_over(self, before: int) -> bool:
        """Whether nothing is in it from then on."""
        return not self.entries or self.entries[-1].at < before

    def since(self, after: int) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.at > after)

    def _drop(self, number: int) -> None:
        for entry in self.entries[:number]:
            self.total -= entry.count
            left = self.values[entry.value] - entry.count
            if left:
                self.values[entry.value] = left
            else:
                del self.values[entry.value]
        del self.entries[:number]


class Tally(msgspec.Struct, array_like=True):
    """Failed and successful sign-ins in each hour of the last day, and the accounts of those that failed."""

    failed: dict[int, int] = {}
    let_in: dict[int, int] = {}
    accounts: dict[str, int] = {}

    def add(self, event: Event) -> None:
        hour = event.at // HOUR
        of = self.let_in if event.kind == "authn_login_success" else self.failed
        if hour not in of:
            self._forget(hour - HOURS_A_DAY)
        of[hour] = of.get(hour, 0) + event.count
        if of is self.failed and event.actor and (event.actor in self.accounts or len(self.accounts) < MOST_ACCOUNTS):
            self.accounts[event.actor] = hour

    def failures(self) -> int:
        """How many failed, where few succeeded; 0 where people sign in who sometimes mistype."""
        failed = sum(self.failed.values())
        return failed if failed > _GUESSES_A_SUCCESS * sum(self.let_in.values()) else 0

    def is_over(self, hour: int) -> bool:
        return max((*self.failed, *self.let_in), default=0) <= hour - HOURS_A_DAY

    def _forget(self, until: int) -> None:
        for of in (self.failed, self.let_in):
            for old in [each for each in of if each <= until]:
                del of[old]
        for name in [each for each, hour in self.accounts.items() if hour <= until]:
            del self.accounts[name]


class Habit(msgspec.Struct, array_like=True):
    """On how many days somebody did a thing, and on which last."""

    day: int
    days: int = 1

    def add(self, day: int) -> None:
        self.days += day > self.day
        self.day = max(self.day, day)
