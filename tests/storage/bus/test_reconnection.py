"""When a node comes back, and what its log says."""

import logging
from random import Random

import pytest

from storage.bus.reconnection import GOOD_SECONDS, LONGEST_PAUSE_SECONDS, Reconnection


def pauses_of(reconnection: Reconnection, count: int) -> list[float]:
    return [reconnection.pause() for _ in range(count)]


def test_the_first_attempt_is_at_once_and_later_ones_never_far_away() -> None:
    for seed in range(50):
        first, second, *others = pauses_of(Reconnection("the bus", Random(seed)), 2_000)
        assert first == 0.0
        assert 0.0 < second <= 0.1
        assert all(pause <= LONGEST_PAUSE_SECONDS for pause in others)
        assert all(pause >= LONGEST_PAUSE_SECONDS / 2 for pause in others[10:])


def test_nodes_do_not_come_back_together() -> None:
    pauses = {pauses_of(Reconnection("the bus", Random(seed)), 3)[-1] for seed in range(20)}
    assert len(pauses) == 20


@pytest.mark.parametrize(("stood", "pause"), [(GOOD_SECONDS, True), (GOOD_SECONDS / 2, False)])
def test_after_a_good_connection_all_begins_again(stood: float, pause: bool) -> None:
    """A server that accepts and cuts off at once is not asked without a pause."""
    reconnection = Reconnection("the bus", Random(1))
    pauses_of(reconnection, 5)
    reconnection.ended(stood)
    assert (reconnection.pause() == 0.0) == pause


def test_the_log_says_each_thing_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reconnection = Reconnection("the bus", Random(1))
    reconnection.succeeded()
    for _ in range(100):
        reconnection.failed("refused")
    reconnection.failed("wrong password")
    reconnection.succeeded()
    reconnection.ended(GOOD_SECONDS)
    reconnection.failed("refused")
    levels = [(record.levelname, record.getMessage().split(";")[0]) for record in caplog.records]
    assert levels == [
        ("WARNING", "the bus: refused"),
        ("WARNING", "the bus: wrong password"),
        ("INFO", "the bus: connected again"),
        ("WARNING", "the bus: refused"),
    ]
