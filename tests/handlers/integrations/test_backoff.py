"""How long is waited after a failure."""

from __future__ import annotations

from datetime import timedelta

from handlers.integrations.backoff import LONGEST_SECONDS, MAX_ATTEMPTS, pause


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [pause(tries, 0.5).total_seconds() for tries in range(1, MAX_ATTEMPTS + 3)]
    assert pauses[:5] == [5, 15, 45, 135, 405]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_SECONDS
    assert (
        timedelta(hours=1)
        < sum((pause(tries, 0.5) for tries in range(1, MAX_ATTEMPTS)), timedelta())
        < timedelta(hours=2)
    )


def test_they_differ_by_a_fifth() -> None:
    assert pause(1, 0.0).total_seconds() == 4.0
    assert pause(1, 1.0).total_seconds() == 6.0


def test_the_receiver_may_ask_for_longer_within_reason() -> None:
    assert pause(1, 0.5, 60).total_seconds() == 60
    assert pause(1, 0.5, 1).total_seconds() == 5
    assert pause(1, 0.5, 1e9).total_seconds() == LONGEST_SECONDS
