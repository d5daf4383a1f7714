"""What is remembered of streams between the transactions of one look."""

from __future__ import annotations

from analysis.detections.state import State
from handlers.detections.remembered import MOST, Remembered


def test_a_state_is_given_once_and_only_for_the_bytes_that_it_was_stored_as() -> None:
    remembered, state = Remembered(), State()
    remembered.keep("server", b"one", state)
    assert remembered.take("server", b"one") is state
    # Whoever took it may have changed it, and have been taken back.
    assert remembered.take("server", b"one") is None
    remembered.keep("server", b"two", state)
    assert remembered.take("server", b"of another node") is None
    remembered.keep("server", b"three", state)
    assert remembered.take("server", None) is None
    assert remembered.take("nothing", b"") is None


def test_few_are_remembered() -> None:
    remembered = Remembered()
    for number in range(MOST + 1):
        remembered.keep(f"workspace:{number}", b"", State())
    assert remembered.take("workspace:0", b"") is None
    assert remembered.take("workspace:1", b"") is not None
