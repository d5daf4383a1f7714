"""A watched operation as the application reads it."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from collab_studio.answer_frames import Answer, AnswerContinued, AnswerMessage, continued, merged
from collab_studio.errors import StudioError
from collab_studio.feed_frames import Position
from collab_studio.studio_frames import watch_operation
from collab_studio.waiters import Waiters

if TYPE_CHECKING:
    from collab_studio.watches import Watches


class AnswerWatch:
    """An operation's answer, first as it is and then whenever it has changed: `async for answer in watch`.

    Each is the whole answer as plain Python values; those that an application was too slow to take are left out.
    Iterating raises OperationError where the server refuses, or has no answer any more, and ConnectionEnded. It ends
    after `close`. After a reconnection the answer is told anew.
    """

    # Nothing but the newest answer waits, and there is no place to go on from.
    waiting = 0
    position: Position | None = None

    def __init__(self, watches: "Watches", operation: str, parameters: dict[str, Any]) -> None:
        self.operation = operation
        self.parameters = parameters
        # The newest answer that came, None before the first.
        self.answer: Any = None
        self._sequence = 0
        self._is_new = False
        self._watches = watches
        self._failure: StudioError | None = None
        self._is_closed = False
        self._waiters = Waiters()

    async def next(self) -> Any | None:
        """The newest answer, as soon as it is another than the one handed out before; None once it was closed."""
        await self._waiters.until(self._has_next)
        if self._is_closed:
            return None
        self._is_new = False
        return self.answer

    def close(self) -> None:
        """Watch no longer."""
        self._is_closed = True
        self._watches.remove(self)
        self._waiters.check()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        answer = await self.next()
        if self._is_closed:
            raise StopAsyncIteration
        return answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # For the connection

    @property
    def name(self) -> str:
        return self.operation

    def frame(self, number: int, _: Position | None) -> bytes:
        """What begins it on a socket. Raises TypeError if a parameter has no MessagePack form."""
        return watch_operation(number, self.operation, self.parameters)

    def take_answer(self, message: AnswerMessage) -> bool:
        """False if an answer before it is missing: then it has to be watched anew."""
        if isinstance(message, Answer):
            self.answer = message.value
        elif message.sequence != self._sequence + 1:
            return False
        elif isinstance(message, AnswerContinued):
            self.answer = continued(self.answer, message.points)
        else:
            self.answer = merged(self.answer, message.patch)
        self._sequence, self._is_new = message.sequence, True
        self._waiters.check()
        return True

    def fail(self, failure: StudioError) -> None:
        self._failure = self._failure or failure
        self._waiters.check()

    def _has_next(self) -> bool:
        if self._is_closed or self._is_new:
            return True
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return False
