"""A feed as the application reads it."""

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

from collab_studio.errors import ConnectionEnded, StudioError
from collab_studio.feed_frames import Event, Position
from collab_studio.studio_frames import watch
from collab_studio.waiters import Waiters

if TYPE_CHECKING:
    from collab_studio.watches import Watches


class FeedWatch:
    """The events of a feed, in order and each once, over reconnections: `async for event in watch`.

    Iterating raises ResyncRequired where the feed cannot give what comes next, OperationError where the server
    refuses, ConnectionEnded. It ends after `close`. `position` is behind the last event that was handed out.
    """

    def __init__(self, watches: "Watches", feed: str, workspace_id: str | None, since: Position | None) -> None:
        self.feed = feed
        self.workspace_id = workspace_id
        self.position = since
        self._watches = watches
        self._waiting: deque[Event] = deque()
        self._failure: StudioError | None = None
        self._is_closed = False
        self._waiters = Waiters()

    async def started(self) -> Position:
        """Wait until the watch stands: what happens from now on is among its events. Raises what iterating raises."""
        await self._waiters.until(self._stands)
        assert self.position is not None
        return self.position

    async def next(self) -> Event | None:
        """The next event, None once it was closed."""
        await self._waiters.until(self._has_next)
        if self._is_closed:
            return None
        event = self._waiting.popleft()
        self.position = event.position
        self._watches.drained(self)
        return event

    def close(self) -> None:
        """Watch no longer."""
        self._is_closed = True
        self._waiting.clear()
        self._watches.remove(self)
        self._waiters.check()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        await self.started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # For the connection

    @property
    def name(self) -> str:
        return self.feed

    def frame(self, number: int, position: Position | None) -> bytes:
        """What begins it on a socket, behind the position."""
        return watch(number, self.feed, self.workspace_id, position)

    @property
    def waiting(self) -> int:
        """How many events wait for the application."""
        return len(self._waiting)

    def begun(self, position: Position) -> None:
        if self.position is None:
            self.position = position
        self._waiters.check()

    def take(self, events: list[Event]) -> None:
        self._waiting.extend(events)
        self._waiters.check()

    def fail(self, failure: StudioError) -> None:
        self._failure = self._failure or failure
        self._waiters.check()

    def _has_next(self) -> bool:
        return self._is_closed or bool(self._waiting) or self._check()

    def _stands(self) -> bool:
        return self._watches.stands(self) or self._check()

    def _check(self) -> bool:
        if self._is_closed:
            raise ConnectionEnded(f"the watch of {self.feed} is closed")
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return False
