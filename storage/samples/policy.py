"""How long samples are kept, and what becomes of them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# Of each tier, the samples first; each is a whole number of those before it.
STEPS_MS = (0, MINUTE_MS, 15 * MINUTE_MS, 6 * HOUR_MS)


@dataclass(frozen=True, slots=True)
class Tier:
    """Samples (`number` 0, `step_ms` 0), or what they come to in buckets of `step_ms`; kept for `age_ms`."""

    number: int
    step_ms: int
    age_ms: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What an installation keeps, in days, and how many series of a source may be active at a time.

    Samples themselves take most of the room, and are what alerts are tried out on: a week of them holds each day of the
    week once. Minutes answer for a month, quarters of an hour for two seasons, quarters of a day for two years.
    """

    raw_days: float = 8.0
    minutes_days: float = 31.0
    quarters_days: float = 184.0
    six_hours_days: float = 731.0
    series_of_source: int = 20_000
    # A clock that is wrong by more is a wrong clock, and its samples would hide right ones.
    ahead_ms: int = 10 * MINUTE_MS

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The finest first."""
        days = (self.raw_days, self.minutes_days, self.quarters_days, self.six_hours_days)
        ages = (int(age * DAY_MS) for age in days)
        return tuple(Tier(number, *both) for number, both in enumerate(zip(STEPS_MS, ages, strict=True)))
