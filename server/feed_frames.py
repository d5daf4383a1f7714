"""Feeds on a connection at `/ws`: what a client says to watch one, and what it is sent of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from handlers.feed_channel import Watch
from handlers.feed_events import Batch, Position
from handlers.feed_names import NOTIFICATIONS, check_name, feed_of, inbox_of
from handlers.live_feeds import LiveFeeds
from handlers.registry import InvalidRequest, Principal
from server.socket_watch import SocketWatch, WatchId

if TYPE_CHECKING:
    from server.watch_frames import WatchFrames

WATCH, WATCHING, EVENTS, RESYNC_REQUIRED = 70, 71, 72, 74


class BeginWatch(msgspec.Struct):
    """Without `workspace_id` it is the caller's own `notifications`; without `since` it begins with the next event."""

    id: WatchId
    feed: Annotated[str, Meta(max_length=100)]
    workspace_id: Annotated[str, Meta(max_length=100)] | None = None
    since: Position | None = None


_encoder = msgspec.msgpack.Encoder()


class FeedSocketWatch(SocketWatch):
    """A feed's watcher."""

    def __init__(self, frames: WatchFrames, feeds: LiveFeeds, request: BeginWatch) -> None:
        super().__init__(frames, request.id)
        self._feeds = feeds
        self._request = request
        self._watch: Watch | None = None

    async def start(self, principal: Principal) -> None:
        request = self._request
        name = _name_of(request, principal)
        self._watch = self._feeds.watch(name, self, principal, request.workspace_id, request.since)

    def resume(self) -> None:
        if self._watch is not None:
            self._feeds.resume(self._watch)

    def renewed(self, principal: Principal) -> None:
        if self._watch is not None:
            self.principal = self._watch.principal = principal

    def close(self) -> None:
        if self._watch is not None:
            self._feeds.close(self._watch)

    # As a watcher of the feed

    def started(self, position: Position, *, recovered: bool) -> None:
        self.frames.send(WATCHING, {"id": self.id, "position": position, "recovered": recovered})

    def take(self, batch: Batch) -> None:
        events = msgspec.Raw(batch.form(_packed))
        self.frames.send(EVENTS, {"id": self.id, "epoch": batch.epoch, "events": events})

    def resync(self, position: Position, reason: str) -> None:
        self.frames.forget(self)
        self.frames.send(RESYNC_REQUIRED, {"id": self.id, "position": position, "reason": reason})


def _packed(batch: Batch) -> bytes:
    return _encoder.encode(batch.events)


def _name_of(request: BeginWatch, principal: Principal) -> str:
    """The whole name of the feed. Raises InvalidRequest."""
    if request.workspace_id is not None:
        return feed_of(request.workspace_id, check_name(request.feed))
    if request.feed != NOTIFICATIONS:
        details = {"parameter": "workspace_id"}
        raise InvalidRequest(f"Say in which workspace the feed {request.feed!r} is: `workspace_id`.", details=details)
    return inbox_of(principal.user_id)
