"""The same work on several things at once."""

from __future__ import annotations

import threading

import pytest

from analysis.associations.threads import in_threads


def never() -> None:
    pass


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    assert list(in_threads(lambda item: item * item, range(50), threads, never)) == [item * item for item in range(50)]


def test_several_work_at_once() -> None:
    together = threading.Barrier(2, timeout=30)
    assert list(in_threads(lambda item: together.wait() >= 0 and item, range(4), 2, never)) == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [1, 2])
def test_what_has_not_begun_never_does_once_it_is_stopped(threads: int) -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            assert go_on.wait(30)
        return item

    def stop() -> None:
        go_on.set()
        raise StoppedError

    with pytest.raises(StoppedError):
        list(in_threads(work, range(1_000), threads, stop))
    assert len(begun) < 1_000


def test_what_fails_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda item: 1 // item, [1, 0, 2], 2, never))
