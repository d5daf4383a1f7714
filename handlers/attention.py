"""How services wait between two looks at the database: until they hear of something, or for some time at most.

A look each second at what seldom changes costs an idle server more than all else that it does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from handlers.changes import Changed, Changes


class Attention:
    """Waits for words on some topics. A word that comes between two waits ends the next one at once."""

    def __init__(self, topics: frozenset[str]) -> None:
        self._topics = topics
        self._heard = asyncio.Event()

    def hear(self, changed: Changed) -> None:
        if changed.topic is None or changed.topic in self._topics:
            self._heard.set()

    async def wait(self, seconds: float) -> None:
        """Returns when something was said since the last wait, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        self._heard.clear()


@contextlib.contextmanager
def attention(changes: Changes, *topics: str) -> Iterator[Attention]:
    """Listens to these topics (see `changes`) inside the block."""
    listening = Attention(frozenset(topics))
    leave = changes.listen(listening.hear)
    try:
        yield listening
    finally:
        leave()
