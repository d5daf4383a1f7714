"""How long to wait before a failed delivery is tried again, and when to give up."""

from __future__ import annotations

from datetime import timedelta

# With pauses of 5 s to an hour: the last attempt is about an hour and a half after the first. What comes after waits
# for it, as the order is kept.
MAX_ATTEMPTS = 8
FIRST_SECONDS = 5.0
FACTOR = 3.0
LONGEST_SECONDS = 3600.0
# Receivers that were away together must not be come back to together.
JITTER = 0.2
# An address at which nothing arrived for this long is given up.
DISABLE_AFTER = timedelta(days=3)


def pause(attempts: int, random: float, asked: float | None = None) -> timedelta:
    """The wait after so many failed attempts. `random` is from 0 to 1, `asked` the seconds the receiver asked for."""
    usual = min(FIRST_SECONDS * FACTOR ** (attempts - 1), LONGEST_SECONDS)
    seconds = usual * (1 + JITTER * (2 * random - 1))
    if asked is not None:
        seconds = max(seconds, min(asked, LONGEST_SECONDS))
    return timedelta(seconds=seconds)
