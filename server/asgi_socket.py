"""The fallback transport: WebSockets as any ASGI server hands them out, one queue and two tasks a connection.

Slower than ``server.websocket`` and otherwise the same: it is used where the application runs under a server that does
not take our protocol class.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.backlog import CONGESTED_BYTES, Backlog
from server.connection_counts import CLIENT, SLOW, dialect_of, reason_of
from server.framing import BINARY, CLOSE, FIN
from server.handshake import BEARER_PROTOCOL, Refusal, Upgrade
from server.limits import ConnectionLimit
from server.security_headers import HEADERS
from server.transport import Dialect, Transport
from server.visitors import NOBODY

if TYPE_CHECKING:
    from server.gateway import Gateway

logger = logging.getLogger(__name__)

# Above this a peer is behind. Below, what waits here waits for the ASGI server, not for the peer.
BEHIND_BYTES = 64 * 1024


def websocket_routes(gateway: "Gateway") -> list[WebSocketRoute]:
    """The two paths of the protocol class, as ASGI routes."""

    async def endpoint(websocket: WebSocket) -> None:
        await AsgiSocket(gateway, websocket).run()

    return [WebSocketRoute("/ws", endpoint), WebSocketRoute("/yjs/{workspace}/{document}", endpoint)]


class AsgiSocket:
    """What dialects need of a connection, over ASGI messages."""

    def __init__(self, gateway: "Gateway", websocket: WebSocket) -> None:
        self._gateway = gateway
        self._websocket = websocket
        self._outgoing: asyncio.Queue[bytes | tuple[int, str]] = asyncio.Queue()
        self._waiting_bytes = 0
        self._backlog: Backlog | None = None
        self._looking: asyncio.Handle | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._holds = 0
        self._counted: tuple[str, ConnectionLimit] | None = None
        self._dialect: Dialect | None = None
        self.closing = False
        # Why the connection ends, for the counts. ASGI does not tell who left without a goodbye.
        self._ending = CLIENT
        self.share: set[Transport] | None = None
        self.visitor = NOBODY

    async def run(self) -> None:
        """Serve the connection until it ends."""
        upgrade = upgrade_of(self._websocket)
        if (refused := self._gateway.refuse(upgrade)) is not None:
            self._gateway.counts.refuse(refused.status)
            await self._refuse(refused)
            return
        plain = [protocol for protocol in upgrade.protocols if not protocol.startswith(BEARER_PROTOCOL)]
        offered = plain or upgrade.protocols
        await self._websocket.accept(offered[0] if offered else None)
        kind = dialect_of(upgrade.path)
        self._gateway.counts.opened(kind)
        self._dialect = self._gateway.connect(self, upgrade)
        writer = asyncio.create_task(self._write_all())
        try:
            await self._read_all()
        finally:
            self.closing = True
            self._end_backlog()
            self._leave()
            self._gateway.counts.closed(kind, self._ending)
            writer.cancel()

    async def _refuse(self, why: Refusal) -> None:
        if "websocket.http.response" not in self._websocket.scope.get("extensions", {}):
            await self._websocket.close(1008)
            return
        headers = HEADERS if why.retry_after is None else {**HEADERS, "Retry-After": str(why.retry_after)}
        await self._websocket.send_denial_response(PlainTextResponse(f"{why.message}\n", why.status, headers))

    async def _read_all(self) -> None:
        bucket = self._gateway.new_bucket()
        while not self.closing:
            await self._may_read.wait()
            try:
                message = await self._websocket.receive_bytes()
            except (WebSocketDisconnect, KeyError, RuntimeError):
                # Gone, no bytes, or closed by us while this waited.
                return
            if len(message) > self._gateway.max_frame_bytes:
                self.close(1009, f"at most {self._gateway.max_frame_bytes} bytes are allowed in a message")
            elif self._dialect is not None:
                self._dialect.receive(message)
            await asyncio.sleep(bucket.take(self._gateway.time()))
        await self._outgoing.join()

    async def _write_all(self) -> None:
        while True:
            item = await self._outgoing.get()
            try:
                if isinstance(item, bytes):
                    await self._websocket.send_bytes(item)
                    self._waiting_bytes -= len(item)
                else:
                    await self._websocket.close(*item)
            except (WebSocketDisconnect, RuntimeError):
                self._leave()
            finally:
                self._outgoing.task_done()
            if not self._waiting_bytes:
                self._end_backlog()

    def _end_backlog(self) -> None:
        backlog, self._backlog = self._backlog, None
        if backlog is None:
            return
        backlog.ended.set()
        if backlog.is_congested:
            self.release_reading()
        if self._dialect is not None and not self.closing:
            self._dialect.resume()

    def write(self, data: bytes) -> None:
        """Finished frames: ASGI wants their payloads."""
        for opcode, payload in unframed(data):
            if opcode == BINARY:
                self.send(payload)

    def send(self, message: bytes) -> None:
        if self.closing:
            return
        self._waiting_bytes += len(message)
        self._outgoing.put_nowait(message)
        if self._backlog is not None:
            self._backlog.added += len(message)
        if self._waiting_bytes > BEHIND_BYTES and self._looking is None:
            # Later: this may be in the middle of a room's round of writes to all of its members.
            self._looking = asyncio.get_running_loop().call_soon(self._fall_behind)

    def _fall_behind(self) -> None:
        backlog, self._looking = self._backlog, None
        if self.closing:
            return
        if backlog is None:
            backlog = self._backlog = Backlog(self._gateway.time())
            if self._dialect is not None:
                self._dialect.mute()
        if self._waiting_bytes > self._gateway.max_send_buffer_bytes:
            logger.warning("a connection is cut off: %d bytes wait for it, and more are not kept", self._waiting_bytes)
            self._part_slow()
        elif self._waiting_bytes > CONGESTED_BYTES and not backlog.is_congested:
            backlog.is_congested = True
            self.hold_reading()
            if self._dialect is not None:
                self._dialect.pause()

    def _part_slow(self) -> None:
        while not self._outgoing.empty():
            self._outgoing.get_nowait()
            self._outgoing.task_done()
        self.close(1013, "this connection reads too slowly")
        self._ending = SLOW

    def close(self, code: int, reason: str) -> None:
        if not self.closing:
            self.closing = True
            self._ending = reason_of(code)
            self._outgoing.put_nowait((code, reason))
            self._may_read.set()
            self._leave()

    def shutdown(self) -> None:
        if self._dialect is not None:
            self._dialect.going_away("the server is restarting")
        self.close(1012, "the server is restarting")

    def check(self, now: float, slow_seconds: float) -> None:
        """The periodic look; pings are the ASGI server's."""
        if self._backlog is not None and self._backlog.is_stuck(now, self._waiting_bytes, slow_seconds):
            logger.warning("a connection took nothing for %g s; %d bytes wait", slow_seconds, self._waiting_bytes)
            self._part_slow()
        elif self._dialect is not None:
            self._dialect.keep_alive(now)

    @property
    def is_congested(self) -> bool:
        return self._backlog is not None and self._backlog.is_congested

    async def drained(self) -> None:
        """Returns once the ASGI server has taken what was sent, or most of it."""
        if self._backlog is not None:
            await self._backlog.ended.wait()

    def hold_reading(self) -> None:
        self._holds += 1
        if not self.closing:
            self._may_read.clear()

    def release_reading(self) -> None:
        self._holds -= 1
        if not self._holds:
            self._may_read.set()

    def count_for(self, user: str, limit: ConnectionLimit) -> None:
        """Count this connection for the first user that it serves, until it ends. Raises RateLimited."""
        if self._counted is None:
            limit.acquire(user)
            self._counted = (user, limit)

    def _leave(self) -> None:
        if self.share is not None:
            self.share.discard(self)
        counted, self._counted = self._counted, None
        if counted is not None:
            counted[1].release(counted[0])
        dialect, self._dialect = self._dialect, None
        if dialect is not None:
            self._gateway.strangers.forget(self)
            dialect.closed()


def upgrade_of(websocket: WebSocket) -> Upgrade:
    """The handshake as the ASGI server understood it."""
    query: dict[str, list[str]] = {}
    for name, value in websocket.query_params.multi_items():
        query.setdefault(name, []).append(value)
    path = websocket.scope.get("raw_path", websocket.scope["path"].encode()).decode("latin-1")
    return Upgrade(path, query, dict(websocket.headers), websocket.client.host if websocket.client else None)


def unframed(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(opcode, payload) of each of our own frames: whole, unmasked, one after the other."""
    at = 0
    while at < len(data):
        opcode, length, at = data[at] & ~FIN, data[at + 1], at + 2
        if length == 126:
            length, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        elif length == 127:
            length, at = int.from_bytes(data[at : at + 8], "big"), at + 8
        yield opcode, data[at : at + length]
        if opcode == CLOSE:
            return
        at += length
