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
    """What an installation keeps, in seconds, and how many series of a source may be active at a time.

    Samples themselves are what alerts are tried out on, so they are kept until each day of the week was there once, and
    a day longer for who compares weeks. Minutes answer for a month, quarters of an hour for two seasons, quarters of a
    day for two years.
    """

    raw_age: float = 8 * 86400.0
    minute_age: float = 31 * 86400.0
    quarter_age: float = 184 * 86400.0
    six_hour_age: float = 731 * 86400.0
    series_of_source: int = 20_000
    # A clock that is wrong by more is a wrong clock, and its samples would hide right ones.
    ahead_ms: int = 10 * MINUTE_MS

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The finest first."""
        seconds = (self.raw_age, self.minute_age, self.quarter_age, self.six_hour_age)
        ages = (int(age * SECOND_MS) for age in seconds)
        return tuple(Tier(number, *both) for number, both in enumerate(zip(STEPS_MS, ages, strict=True)))
