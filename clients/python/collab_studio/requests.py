"""Operations that were asked for and not answered yet."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Any

from collab_studio.errors import ConnectionLost, StudioError, operation_error
from collab_studio.studio_frames import Refusal, Result, request

_log = logging.getLogger("collab_studio")

# A server answers more than 64 at once on one connection with "rate limited"; the rest waits here.
IN_FLIGHT = 48


class Requests:
    """Matches answers with requests. What was not sent when a connection broke waits for the next one; what was sent
    fails, because nobody knows whether the server did it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something for `take`."""
        self._wake = wake
        self._numbers = itertools.count(1)
        self._unsent: dict[int, bytes] = {}
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def add(self, operation: str, parameters: dict[str, Any]) -> asyncio.Future[Any]:
        """The future of the answer. Cancelling it forgets the request. Raises TypeError, see `request`."""
        number = next(self._numbers)
        self._unsent[number] = request(number, operation, parameters)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: self._forget(number))
        self._wake()
        return future

    def take(self) -> list[bytes]:
        """The frames to send now."""
        room = IN_FLIGHT - (len(self._waiting) - len(self._unsent))
        numbers = list(itertools.islice(self._unsent, max(0, room)))
        return [self._unsent.pop(number) for number in numbers]

    def answer(self, message: Result | Refusal) -> None:
        future = None if message.id is None else self._waiting.get(message.id)
        if future is None or future.done():
            if isinstance(message, Refusal):
                _log.warning("the server reports %s: %s", message.code, message.message)
            return
        if isinstance(message, Result):
            future.set_result(message.value)
        else:
            future.set_exception(operation_error(message.code, message.message, message.details, message.request_id))

    def lost(self) -> None:
        """The connection broke."""
        error = ConnectionLost("the connection broke before the answer came; the server may have done it")
        self._fail([number for number in self._waiting if number not in self._unsent], error)

    def fail(self, error: StudioError) -> None:
        """No connection will be made again."""
        self._fail(list(self._waiting), error)

    def _fail(self, numbers: list[int], error: StudioError) -> None:
        for number in numbers:
            if not (future := self._waiting[number]).done():
                future.set_exception(error)

    def _forget(self, number: int) -> None:
        self._unsent.pop(number, None)
        del self._waiting[number]
        if self._unsent:
            self._wake()
