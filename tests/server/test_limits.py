"""Rates and counts, stepped with a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.registry import RateLimited
from server.limits import LONGEST_TURN_SECONDS, ArrivalLimit, ConnectionLimit, TokenBucket


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=0.0)
    assert [bucket.try_take(0.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.try_take(0.05)
    assert bucket.try_take(0.1)
    assert not bucket.try_take(0.1)


def test_an_idle_bucket_holds_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=0.0)
    assert [bucket.try_take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_taking_in_any_case_tells_how_long_to_pause() -> None:
    bucket = TokenBucket(rate=10, burst=1, now=0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.0) == pytest.approx(0.2)
    assert bucket.take(0.3) == 0.0


def test_the_wait_of_a_refusal_is_enough_and_not_too_long() -> None:
    bucket = TokenBucket(rate=4, burst=1, now=0.0)
    assert bucket.try_take(0.0)
    wait = bucket.wait(0.0)
    assert wait == pytest.approx(0.25)
    assert not bucket.try_take(wait - 0.01)
    assert bucket.try_take(wait)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=10, burst=1, now=100.0)
    assert bucket.try_take(100.0)
    assert not bucket.try_take(50.0)
    assert not bucket.try_take(100.0)


@given(st.lists(st.floats(min_value=0, max_value=0.5), min_size=1, max_size=200))
def test_no_pattern_of_calls_gets_more_than_rate_and_burst(pauses: list[float]) -> None:
    bucket = TokenBucket(rate=20, burst=5, now=0.0)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.try_take(now)
    assert taken <= 5 + 20 * now + 1e-6


def test_newcomers_beyond_the_rate_are_told_to_come_back_as_a_stream() -> None:
    limit = ArrivalLimit(rate=100, burst=50, now=0.0, rand=lambda: 0.5)
    answers = [limit.admit(0.0) for _ in range(1050)]
    assert answers[:50] == [None] * 50
    turns = [turn for turn in answers if turn is not None]
    assert turns == sorted(turns)
    # A thousand who are let in at a hundred a second are all in after ten seconds.
    assert (turns[0], turns[-1]) == (1, 10)
    assert limit.turned_away == 1000
    assert limit.admit(0.02) is None


def test_nobody_is_told_to_wait_for_longer_than_people_do() -> None:
    limit = ArrivalLimit(rate=1, burst=1, now=0.0, rand=lambda: 0.999)
    assert max(limit.admit(0.0) or 0 for _ in range(500)) <= 1 + 1.5 * (LONGEST_TURN_SECONDS + 1)
    # The crowd is forgotten as soon as its turns are over.
    assert limit.admit(60.0) is None
    assert limit.admit(60.0) == 1


def test_those_who_are_told_the_same_do_not_come_at_the_same_moment() -> None:
    chances = iter([0.0, 0.25, 0.5, 0.75, 0.99] * 20)
    limit = ArrivalLimit(rate=10, burst=1, now=0.0, rand=lambda: next(chances))
    turns = [limit.admit(0.0) for _ in range(100)]
    assert len(set(turns[50:60])) > 3


def test_a_user_gets_so_many_connections_and_others_theirs() -> None:
    limit = ConnectionLimit(per_user=2)
    limit.acquire("ada")
    limit.acquire("ada")
    with pytest.raises(RateLimited) as caught:
        limit.acquire("ada")
    assert caught.value.code == "too_many_connections"
    assert caught.value.details == {"limit": 2}
    limit.acquire("bob")
    assert (limit.open_of("ada"), limit.open_of("bob")) == (2, 1)
    limit.release("ada")
    limit.acquire("ada")


def test_a_connection_is_given_back_however_it_ends() -> None:
    limit = ConnectionLimit(per_user=1)
    with pytest.raises(ZeroDivisionError), limit.holding("ada"):
        _ = limit.open_of("ada") / 0
    assert limit.open_of("ada") == 0
    with limit.holding("ada"):
        assert limit.open_of("ada") == 1


def test_users_who_left_take_no_memory() -> None:
    limit = ConnectionLimit(per_user=5)
    for number in range(100):
        with limit.holding(f"user{number}"):
            pass
        limit.open_of(f"user{number}")
    assert not limit._open
