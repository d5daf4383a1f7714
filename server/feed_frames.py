"""Feeds on a connection at `/ws`: watches that clients begin and end by frames of the Studio's own.

A client names its watches; everything about one carries its id. PROTOCOL.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from handlers.feed_channel import Watch
from handlers.feed_events import Batch, Position
from handlers.feed_names import NOTIFICATIONS, check_name, feed_of, inbox_of
from handlers.registry import InvalidRequest, NotAuthenticated, OperationError, Principal, RateLimited
from server.problems import Internal

if TYPE_CHECKING:
    from server.gateway import Gateway
    from server.hocuspocus import HocuspocusDialect
    from server.transport import Transport

WATCH, WATCHING, EVENTS, UNWATCH, RESYNC_REQUIRED, WATCH_ENDED = 70, 71, 72, 73, 74, 75
# A page shows some feeds; a program that wants more opens another connection.
MAX_WATCHES = 100

WatchId = int | Annotated[str, Meta(max_length=100)]


class BeginWatch(msgspec.Struct):
    """Without `workspace_id` it is the caller's own `notifications`; without `since` it begins with the next event."""

    id: WatchId
    feed: Annotated[str, Meta(max_length=100)]
    workspace_id: Annotated[str, Meta(max_length=100)] | None = None
    since: Position | None = None


class EndWatch(msgspec.Struct):
    id: WatchId


_begins = msgspec.msgpack.Decoder(BeginWatch)
_ends = msgspec.msgpack.Decoder(EndWatch)
_encoder = msgspec.msgpack.Encoder()


class SocketWatch:
    """A watcher at the end of a socket. `watch` is None until it is clear who it is for."""

    __slots__ = ("_frames", "id", "is_over", "principal", "watch")

    def __init__(self, frames: FeedFrames, watch_id: int | str) -> None:
        self._frames = frames
        self.id = watch_id
        self.watch: Watch | None = None
        self.principal: Principal | None = None
        self.is_over = False

    @property
    def is_congested(self) -> bool:
        return self._frames.socket.is_congested

    def started(self, position: Position, *, recovered: bool) -> None:
        self._frames.send(WATCHING, {"id": self.id, "position": position, "recovered": recovered})

    def take(self, batch: Batch) -> None:
        events = msgspec.Raw(batch.form(_packed))
        self._frames.send(EVENTS, {"id": self.id, "epoch": batch.epoch, "events": events})

    def resync(self, position: Position, reason: str) -> None:
        self._frames.forget(self)
        self._frames.send(RESYNC_REQUIRED, {"id": self.id, "position": position, "reason": reason})

    def ended(self, error: OperationError) -> None:
        self._frames.forget(self)
        if isinstance(error, NotAuthenticated):
            self._frames.doubt(self.principal)
        body = {"id": self.id, "code": error.code, "message": error.message, "details": error.details}
        self._frames.send(WATCH_ENDED, body)


def _packed(batch: Batch) -> bytes:
    return _encoder.encode(batch.events)


class FeedFrames:
    """The watches of one connection."""

    def __init__(
        self,
        gateway: Gateway,
        socket: Transport,
        dialect: HocuspocusDialect,
        send: Callable[[int, object], None],
    ) -> None:
        self._gateway = gateway
        self._feeds = gateway.parts.feeds
        self._dialect = dialect
        self._watches: dict[int | str, SocketWatch] = {}
        # Who has to sign in again, because what they signed in with may not hold any more.
        self._doubted: Principal | None = None
        self.socket = socket
        self.send = send

    def receive(self, kind: int, body: bytes) -> None:
        """A frame of type WATCH or UNWATCH. Raises MsgspecError, InvalidRequest."""
        if kind == WATCH:
            self._begin(_begins.decode(body))
        elif (watch := self._watches.pop(_ends.decode(body).id, None)) is not None:
            self._close(watch)

    def _begin(self, request: BeginWatch) -> None:
        if request.id in self._watches:
            raise InvalidRequest(f"This connection has a watch {request.id!r} already; choose another id.")
        watch = SocketWatch(self, request.id)
        if len(self._watches) >= MAX_WATCHES:
            watch.ended(
                RateLimited(f"A connection has at most {MAX_WATCHES} watches; end one.", code="too_many_watches")
            )
            return
        self._watches[request.id] = watch
        self._gateway.spawn(self._start(watch, request))

    async def _start(self, watch: SocketWatch, request: BeginWatch) -> None:
        try:
            principal = await self._principal()
            if not watch.is_over:
                watch.principal = principal
                name = _name_of(request, principal)
                watch.watch = self._feeds.watch(name, watch, principal, request.workspace_id, request.since)
        except OperationError as error:
            self._refuse(watch, error)
        except Exception:
            self._refuse(watch, Internal())
            raise

    async def _principal(self) -> Principal:
        """Who the connection is for, and may ask for something now. Raises NotAuthenticated, RateLimited."""
        await self._dialect.known()
        principal = self._dialect.principal
        if principal is None:
            raise NotAuthenticated("Sign in first: send hello with a token.")
        if principal is self._doubted:
            raise NotAuthenticated("Sign in again: send hello with your key.", code="sign_in_again")
        await self._gateway.requests.take(principal.user_id)
        return principal

    def _refuse(self, watch: SocketWatch, error: OperationError) -> None:
        if not watch.is_over:
            watch.ended(error)

    def doubt(self, principal: Principal | None) -> None:
        """What this principal signed in with may not hold any more: it has to do so again before it watches."""
        if principal is not None:
            self._doubted = principal

    def renewed(self, principal: Principal) -> None:
        """The user has signed in anew: watches go on for as long as the new credential holds."""
        for watch in self._watches.values():
            if watch.watch is not None:
                watch.principal = watch.watch.principal = principal

    def forget(self, watch: SocketWatch) -> None:
        """It is over."""
        watch.is_over = True
        if self._watches.get(watch.id) is watch:
            del self._watches[watch.id]

    def _close(self, watch: SocketWatch) -> None:
        watch.is_over = True
        if watch.watch is not None:
            self._feeds.close(watch.watch)

    def resume(self) -> None:
        """The socket takes what it is sent again."""
        for watch in list(self._watches.values()):
            if watch.watch is not None:
                self._feeds.resume(watch.watch)

    def closed(self) -> None:
        while self._watches:
            self._close(self._watches.popitem()[1])


def _name_of(request: BeginWatch, principal: Principal) -> str:
    """The whole name of the feed. Raises InvalidRequest."""
    if request.workspace_id is not None:
        return feed_of(request.workspace_id, check_name(request.feed))
    if request.feed != NOTIFICATIONS:
        details = {"parameter": "workspace_id"}
        raise InvalidRequest(f"Say in which workspace the feed {request.feed!r} is: `workspace_id`.", details=details)
    return inbox_of(principal.user_id)
