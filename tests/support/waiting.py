"""Waiting for something that happens elsewhere, with a deadline and a message."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], timeout: float, what: Callable[[], str]) -> None:
    """Returns as soon as the condition holds; fails with `what()` at the deadline."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)
