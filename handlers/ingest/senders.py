"""What is remembered of those that push: how each calls its series, so that its requests are read quickly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from handlers.gathered_samples import Decoded, Window

# The series of some hundred thousand; who takes more begins anew.
MOST_BYTES = 256 * 1024 * 1024
MOST_BYTES_OF_ONE = 64 * 1024 * 1024


class Reader(Protocol):
    """Reads one kind of request, and remembers what is the same in each; that takes about `size` bytes."""

    size: int

    def read(self, body: bytes, window: Window) -> Decoded:
        """Raises wire.Malformed."""


class Senders:
    """The readers of each source. Losing one costs time only: it is made anew with the next request."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_bytes_of_one: int = MOST_BYTES_OF_ONE) -> None:
        self._most = most_bytes
        self._most_of_one = most_bytes_of_one
        self._readers: OrderedDict[tuple[int, Callable[[], Reader]], Reader] = OrderedDict()

    def reader(self, source_id: int, make: Callable[[], Reader]) -> Reader:
        """The source's reader of that kind."""
        name = (source_id, make)
        reader = self._readers.get(name)
        if reader is None or reader.size > self._most_of_one:
            reader = self._readers[name] = make()
            self._forget_the_oldest()
        self._readers.move_to_end(name)
        return reader

    def _forget_the_oldest(self) -> None:
        while len(self._readers) > 1 and sum(reader.size for reader in self._readers.values()) > self._most:
            self._readers.popitem(last=False)
