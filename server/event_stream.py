"""Server-sent events: a feed or a watched operation as a stream of text that browsers read by themselves.

WHATWG HTML, section 9.2, has the format. A feed's stream says where it begins, then gives every event with its position
as id, so that a browser that comes back goes on where it was. A stream ends with a last word: that the feed cannot give
what follows, that the caller may not have more, or that the server stops. PROTOCOL.md has the tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from handlers.answer_channel import Form, Kind
from handlers.feed_events import Batch, Position
from handlers.registry import OperationError, Unavailable
from server.drain import Departure

# Proxies and browsers drop a connection on which nothing came for 30 s to 60 s.
KEEP_ALIVE_SECONDS = 15.0
# How long a browser waits before it comes back.
RETRY_MILLISECONDS = 2_000
# What may wait for a slow reader; beyond it the database keeps what follows.
MAX_WAITING_BYTES = 256 * 1024

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # nginx would gather events before it passes them on.
    "X-Accel-Buffering": "no",
}
_KEEP_ALIVE = b": keep-alive\n\n"
_RETRY = f"retry: {RETRY_MILLISECONDS}\n".encode()

S = TypeVar("S", bound="TextStream")
W = TypeVar("W")
W_contra = TypeVar("W_contra", contravariant=True)


class Watching(Protocol[W_contra]):
    """Where watches come from: feeds, or answers."""

    def resume(self, watch: W_contra) -> None:
        """Its watcher takes what it is given again."""

    def close(self, watch: W_contra) -> None:
        """Its watcher is gone."""


class TextStream:
    """A watcher to whom messages wait as text until they are read."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self.is_over = False

    @property
    def is_congested(self) -> bool:
        return self._size > MAX_WAITING_BYTES

    def ended(self, error: OperationError) -> None:
        self._put(_message({"code": error.code, "message": error.message}, event="ended"))
        self.end()

    def end(self) -> None:
        """Nothing comes any more."""
        self.is_over = True
        self._wake.set()

    async def read(self, seconds: float) -> bytes:
        """What waits, as soon as there is something; after so many seconds a sign of life; nothing at the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return _KEEP_ALIVE
        if not self.is_over:
            self._wake.clear()
        text, self._chunks, self._size = b"".join(self._chunks), [], 0
        return text

    def _put(self, text: bytes) -> None:
        self._chunks.append(text)
        self._size += len(text)
        self._wake.set()


class EventStream(TextStream):
    """A feed's watcher."""

    def started(self, position: Position, *, recovered: bool) -> None:
        body = {"position": position, "recovered": recovered}
        self._put(_RETRY + _message(body, event="watching", position=position))

    def take(self, batch: Batch) -> None:
        self._put(batch.form(_events))

    def resync(self, position: Position, reason: str) -> None:
        """Without an id: whoever comes back from where it was is told the same again, and never skips a part."""
        self._put(_message({"position": position, "reason": reason}, event="resync_required"))
        self.end()


_ANSWERS = {
    Kind.WHOLE: ("answer", "value"),
    Kind.PATCH: ("changed", "patch"),
    Kind.POINTS: ("continued", "points"),
}


class AnswerStream(TextStream):
    """A watched operation's watcher. Its messages have no id: whoever comes back is given the whole answer."""

    def take(self, form: Form) -> None:
        kind, name = _ANSWERS[form.kind]
        head = f'event: {kind}\ndata: {{"sequence":{form.sequence},"{name}":'
        self._put(_RETRY + head.encode() + form.encoded(msgspec.json.encode) + b"}\n\n")


def _events(batch: Batch) -> bytes:
    return b"".join(_message(event, position=Position(batch.epoch, event.offset)) for event in batch.events)


def _message(body: Any, *, event: str = "", position: Position | None = None) -> bytes:
    lines = [f"event: {event}"] if event else []
    if position is not None:
        lines.append(f"id: {position}")
    # JSON has no line breaks but those between its parts, of which this has none.
    lines.append(f"data: {msgspec.json.encode(body).decode()}")
    return ("\n".join(lines) + "\n\n").encode()


class EventStreamResponse(Response, Generic[S, W]):
    """A response that goes on until the stream is over, the reader is gone, or the server leaves."""

    def __init__(
        self,
        watching: Watching[W],
        stream: S,
        begin: Callable[[S], W],
        departure: Departure,
        headers: dict[str, str],
        *,
        on_end: Callable[[], None],
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        super().__init__(headers={**HEADERS, **headers})
        del self.headers["content-length"]
        self._watching = watching
        self._stream = stream
        self._begin = begin
        self._departure = departure
        self._on_end = on_end
        self._keep_alive_seconds = keep_alive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        stream = self._stream
        watch = self._begin(stream)
        tasks = [asyncio.create_task(work) for work in (_until_gone(receive, stream), self._until_leaving(stream))]
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while text := await stream.read(self._keep_alive_seconds):
                self._watching.resume(watch)
                await send({"type": "http.response.body", "body": text, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._watching.close(watch)
            self._on_end()
            for task in tasks:
                task.cancel()

    async def _until_leaving(self, stream: TextStream) -> None:
        await self._departure.begun.wait()
        stream.ended(Unavailable("The server is restarting; come back.", code="going_away"))


async def _until_gone(receive: Receive, stream: TextStream) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    stream.end()
