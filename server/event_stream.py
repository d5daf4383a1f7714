"""Server-sent events: a feed as a stream of text that browsers read by themselves (WHATWG HTML, section 9.2).

A stream says where it begins, then gives every event with its position as id, so that a browser that comes back goes on
where it was. It ends with a last word: that the feed cannot give what follows, that the caller may not have more, or
that the server stops. PROTOCOL.md has the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from handlers.feed_channel import Watch
from handlers.feed_events import Batch, Position
from handlers.live_feeds import LiveFeeds
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


class EventStream:
    """A watcher whose events wait as text until they are read."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self.is_over = False

    @property
    def is_congested(self) -> bool:
        return self._size > MAX_WAITING_BYTES

    def started(self, position: Position, *, recovered: bool) -> None:
        body = {"position": position, "recovered": recovered}
        self._put(f"retry: {RETRY_MILLISECONDS}\n".encode() + _message(body, event="watching", position=position))

    def take(self, batch: Batch) -> None:
        self._put(batch.form(_events))

    def resync(self, position: Position, reason: str) -> None:
        """Without an id: whoever comes back from where it was is told the same again, and never skips a part."""
        self._put(_message({"position": position, "reason": reason}, event="resync_required"))
        self.end()

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


def _events(batch: Batch) -> bytes:
    return b"".join(_message(event, position=Position(batch.epoch, event.offset)) for event in batch.events)


def _message(body: Any, *, event: str = "", position: Position | None = None) -> bytes:
    lines = [f"event: {event}"] if event else []
    if position is not None:
        lines.append(f"id: {position}")
    # JSON has no line breaks but those between its parts, of which this has none.
    lines.append(f"data: {msgspec.json.encode(body).decode()}")
    return ("\n".join(lines) + "\n\n").encode()


class EventStreamResponse(Response):
    """A response that goes on until the stream is over, the reader is gone, or the server leaves."""

    def __init__(
        self,
        feeds: LiveFeeds,
        begin: Callable[[EventStream], Watch],
        departure: Departure,
        headers: dict[str, str],
        *,
        on_end: Callable[[], None],
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        super().__init__(headers={**HEADERS, **headers})
        del self.headers["content-length"]
        self._feeds = feeds
        self._begin = begin
        self._departure = departure
        self._on_end = on_end
        self._keep_alive_seconds = keep_alive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        stream = EventStream()
        watch = self._begin(stream)
        tasks = [asyncio.create_task(work) for work in (_until_gone(receive, stream), self._until_leaving(stream))]
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while text := await stream.read(self._keep_alive_seconds):
                self._feeds.resume(watch)
                await send({"type": "http.response.body", "body": text, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._feeds.close(watch)
            self._on_end()
            for task in tasks:
                task.cancel()

    async def _until_leaving(self, stream: EventStream) -> None:
        await self._departure.begun.wait()
        stream.ended(Unavailable("The server is restarting; come back.", code="going_away"))


async def _until_gone(receive: Receive, stream: EventStream) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    stream.end()
