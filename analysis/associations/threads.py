"""The same work on several things at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int, check: Callable[[], None]
) -> Iterator[_Result]:
    """The results in the order of the items. `check` is called by the caller's thread after each, and may raise: what
    has not begun by then never does."""
    if threads == 1:
        for item in items:
            yield work(item)
            check()
        return
    pool = ThreadPoolExecutor(threads)
    try:
        for result in pool.map(work, items):
            yield result
            check()
    finally:
        pool.shutdown(cancel_futures=True)
