"""Watches on a connection at `/ws`, of feeds and of operations, which clients begin and end by frames.

A client names its watches; everything about one carries its id. PROTOCOL.md has the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from handlers.registry import InvalidRequest, NotAuthenticated, OperationError, Principal, RateLimited
from server.answer_frames import WATCH_OPERATION, AnswerSocketWatch, BeginWatchOperation
from server.feed_frames import WATCH, BeginWatch, FeedSocketWatch
from server.problems import Internal
from server.socket_watch import SocketWatch, WatchId

if TYPE_CHECKING:
    from server.gateway import Gateway
    from server.hocuspocus import HocuspocusDialect
    from server.transport import Transport

UNWATCH = 73
FROM_CLIENTS = (WATCH, UNWATCH, WATCH_OPERATION)
# A page shows some feeds and some answers; a program that wants more opens another connection.
MAX_WATCHES = 100


class EndWatch(msgspec.Struct):
    id: WatchId


_feeds = msgspec.msgpack.Decoder(BeginWatch)
_operations = msgspec.msgpack.Decoder(BeginWatchOperation)
_ends = msgspec.msgpack.Decoder(EndWatch)


class WatchFrames:
    """The watches of one connection."""

    def __init__(
        self,
        gateway: Gateway,
        socket: Transport,
        dialect: HocuspocusDialect,
        send: Callable[[int, object], None],
    ) -> None:
        self._gateway = gateway
        self._dialect = dialect
        self._watches: dict[int | str, SocketWatch] = {}
        # Who has to sign in again, because what they signed in with may not hold any more.
        self._doubted: Principal | None = None
        self.socket = socket
        self.send = send

    def receive(self, kind: int, body: bytes) -> None:
        """A frame of one of the types FROM_CLIENTS. Raises MsgspecError, InvalidRequest."""
        if kind == WATCH:
            self._begin(FeedSocketWatch(self, self._gateway.parts.feeds, _feeds.decode(body)))
        elif kind == WATCH_OPERATION:
            self._begin(AnswerSocketWatch(self, self._gateway.answers, _operations.decode(body)))
        elif (watch := self._watches.pop(_ends.decode(body).id, None)) is not None:
            self._close(watch)

    def _begin(self, watch: SocketWatch) -> None:
        if watch.id in self._watches:
            raise InvalidRequest(f"This connection has a watch {watch.id!r} already; choose another id.")
        if len(self._watches) >= MAX_WATCHES:
            watch.ended(
                RateLimited(f"A connection has at most {MAX_WATCHES} watches; end one.", code="too_many_watches")
            )
            return
        self._watches[watch.id] = watch
        self._gateway.spawn(self._start(watch))

    async def _start(self, watch: SocketWatch) -> None:
        try:
            principal = await self._principal()
            if not watch.is_over:
                watch.principal = principal
                await watch.start(principal)
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
            watch.renewed(principal)

    def forget(self, watch: SocketWatch) -> None:
        """It is over."""
        watch.is_over = True
        if self._watches.get(watch.id) is watch:
            del self._watches[watch.id]

    def _close(self, watch: SocketWatch) -> None:
        watch.is_over = True
        watch.close()

    def resume(self) -> None:
        """The socket takes what it is sent again."""
        for watch in list(self._watches.values()):
            watch.resume()

    def closed(self) -> None:
        while self._watches:
            self._close(self._watches.popitem()[1])
