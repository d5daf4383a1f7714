"""The WebSocket transport: a protocol class for uvicorn that takes frames in the read callback.

Nothing is queued and no task runs for an idle connection: bytes go through the frame reader straight to the
connection's dialect, and one framed message is written to many transports as it is.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from uvicorn.server import ServerState

from server import framing, handshake
from server.backlog import CONGESTED_BYTES, Backlog
from server.connection_counts import CLIENT, LOST, SILENT, SLOW, dialect_of, reason_of
from server.framing import FrameReader, FramingError
from server.handshake import Refusal, Upgrade
from server.limits import ConnectionLimit, TokenBucket
from server.transport import Dialect, Transport
from server.visitors import NOBODY

if TYPE_CHECKING:
    from server.gateway import Gateway

logger = logging.getLogger(__name__)

# What the kernel may hold for a connection without having sent it: it would wait there in front of all that follows.
NOT_SENT_AT_MOST = 128 * 1024
CLOSE_TIMEOUT_SECONDS = 5.0
# Whoever does not answer within this when the server stops does not read, or is far away and has read it all the same.
PARTING_TIMEOUT_SECONDS = 1.5
# Answers to the messages of one read leave together up to this size.
CORK_AT_MOST = 64 * 1024


class WebSocketProtocol(asyncio.Protocol):
    """One connection. Made by ``Gateway.protocol_factory``, which uvicorn calls for each upgrade."""

    __slots__ = (
        "_backlog",
        "_bucket",
        "_connections",
        "_corked",
        "_corked_bytes",
        "_counted",
        "_ending",
        "_gateway",
        "_kind",
        "_reader",
        "_reading_holds",
        "_send",
        "_socket",
        "alive",
        "closing",
        "dialect",
        "share",
        "transport",
        "visitor",
    )

    def __init__(self, gateway: "Gateway", server_state: ServerState) -> None:
        self._gateway = gateway
        self._connections = server_state.connections
        self._reader: FrameReader | None = None
        self._bucket: TokenBucket | None = None
        self._reading_holds = 0
        self._corked: list[bytes] | None = None
        self._corked_bytes = 0
        self._counted: tuple[str, ConnectionLimit] | None = None
        # The dialect, once a handshake was accepted, and why the connection ends: both for the counts.
        self._kind: str | None = None
        self._ending = LOST
        self.dialect: Dialect | None = None
        self.alive = True
        self.closing = False
        self._backlog: Backlog | None = None
        # The connections that the gateway looks at together with this one.
        self.share: set[Transport] | None = None
        self.visitor = NOBODY
        self._socket: socket.socket | None = None
        self._send: Callable[[bytes], int] | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._connections.add(cast(Any, self))
        if transport.get_extra_info("sslcontext") is None:
            # Any byte that the kernel does not take at once pauses writing, until all of them are gone.
            self.transport.set_write_buffer_limits(0)
            kernel = transport.get_extra_info("socket")
            # All four given: otherwise Python asks the kernel for each.
            self._socket = socket.socket(kernel.family, kernel.type, kernel.proto, kernel.fileno())
            if self._socket.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_AT_MOST)
            self._send = self._socket.send

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's interface
        self.closing = True
        self._connections.discard(cast(Any, self))
        if self.share is not None:
            self.share.discard(self)
        self._leave()
        self._release_socket()
        self._end_backlog()
        if self._kind is not None:
            self._gateway.counts.closed(self._kind, self._ending)
        if self._counted is not None:
            user, limit = self._counted
            limit.release(user)

    def eof_received(self) -> None:
        self._end()

    def _end(self) -> None:
        """Close the transport once its buffer is written; nothing goes past it from here on."""
        self._uncork()
        self._release_socket()
        self.transport.close()

    def pause_writing(self) -> None:
        """The transport has bytes that the kernel did not take: what follows must queue behind them."""
        self._send = None
        self._backlog = Backlog(self._gateway.time())
        if self.dialect is not None:
            self.dialect.mute()

    def resume_writing(self) -> None:
        if self._socket is not None:
            self._send = self._socket.send
        self._end_backlog()
        if self.dialect is not None and not self.closing:
            self.dialect.resume()

    def _end_backlog(self) -> None:
        backlog, self._backlog = self._backlog, None
        if backlog is not None:
            backlog.ended.set()
            if backlog.is_congested:
                self.release_reading()

    def write(self, data: bytes) -> None:
        """Hand finished frames to the kernel, past the transport while its buffer is empty.

        One system call and no copy: this runs once for every member of a room for every turn.
        """
        if self._corked is not None:
            self._corked.append(data)
            self._corked_bytes += len(data)
            if self._corked_bytes > CORK_AT_MOST:
                self._uncork()
                self._corked = []
            return
        send = self._send
        if send is not None:
            try:
                sent = send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                # The peer is gone; the transport finds out by itself and reports it.
                self._send = None
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._write_later(data)

    def _write_later(self, data: bytes) -> None:
        transport = self.transport
        if transport.is_closing():
            return
        transport.write(data)
        if self._backlog is not None:
            self._backlog.added += len(data)
        left = transport.get_write_buffer_size()
        if left > self._gateway.max_send_buffer_bytes:
            logger.warning("%s is cut off: %d bytes wait for it, and more are not kept", self._described(), left)
            self._ending = SLOW
            self.abort()
        elif left > CONGESTED_BYTES and self._backlog is not None and not self._backlog.is_congested:
            # Whoever does not take answers is not asked for more questions either.
            self._backlog.is_congested = True
            self.hold_reading()
            # Later: this may be in the middle of a room's round of writes to all of its members.
            asyncio.get_running_loop().call_soon(self._pause_dialect, self._backlog)

    def _pause_dialect(self, backlog: Backlog) -> None:
        if self._backlog is backlog and self.dialect is not None:
            self.dialect.pause()

    def _release_socket(self) -> None:
        """Forget the descriptor without closing it: it is the transport's."""
        held, self._socket, self._send = self._socket, None, None
        if held is not None:
            held.detach()

    def data_received(self, data: bytes) -> None:
        self.alive = True
        self._gateway.reads.note()
        reader, dialect = self._reader, self.dialect
        if reader is None:
            self.open(handshake.parse(data))
            return
        if dialect is None and not self.closing:
            return
        try:
            messages = reader.feed(data)
        except FramingError as error:
            self.close(error.code, error.reason)
            return
        # What these messages are answered with leaves in one piece.
        self._corked = []
        self._dispatch(messages, dialect)
        self._uncork()

    def _uncork(self) -> None:
        corked, self._corked = self._corked, None
        self._corked_bytes = 0
        if corked:
            self.write(corked[0] if len(corked) == 1 else b"".join(corked))

    def _dispatch(self, messages: list[tuple[int, bytes]], dialect: Dialect | None) -> None:
        for opcode, payload in messages:
            # Of one to which we said goodbye, only the answer to that matters.
            if self.closing and opcode != framing.CLOSE:
                continue
            if opcode == framing.BINARY and dialect is not None:
                dialect.receive(payload)
            else:
                self._control(opcode, payload)
        if self._bucket is not None and (wait := self._bucket.take(self._gateway.time(), len(messages))) > 0:
            self._hold_reading_for(wait)

    # Opening and closing

    def open(self, upgrade: Upgrade) -> None:
        """Answer the handshake; what the connection speaks is decided by its path."""
        peer = self.transport.get_extra_info("peername")
        upgrade = upgrade._replace(peer=peer[0] if isinstance(peer, tuple) else None)
        refused = self._gateway.refuse(upgrade)
        if refused is not None:
            self._refuse(refused)
            return
        try:
            answer = handshake.accept(upgrade)
        except ValueError as error:
            self._refuse(Refusal(HTTPStatus.BAD_REQUEST, str(error)))
            return
        self.write(answer)
        self._reader = FrameReader(self._gateway.max_frame_bytes)
        self._bucket = self._gateway.new_bucket()
        self._kind = dialect_of(upgrade.path)
        self._gateway.counts.opened(self._kind)
        self.dialect = self._gateway.connect(self, upgrade)

    def _refuse(self, why: Refusal) -> None:
        self._gateway.counts.refuse(why.status)
        self.closing = True
        self.write(handshake.refusal(why))
        self._end()

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == framing.PING:
            self.write(framing.header(framing.PONG, len(payload)) + payload)
        elif opcode == framing.TEXT:
            self.close(1003, "this protocol is binary")
        elif opcode == framing.CLOSE:
            if not self.closing:
                self._ending = CLIENT
                self.write(framing.header(framing.CLOSE, len(payload[:2])) + payload[:2])
            self.closing = True
            self._leave()
            self._end()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, leave every room at once, and end the connection when the peer has answered or 5 s are over."""
        if self.closing:
            return
        self.closing = True
        self._ending = reason_of(code)
        self.write(framing.close_frame(code, reason))
        self._leave()
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_SECONDS, self.abort)

    def _leave(self) -> None:
        dialect, self.dialect = self.dialect, None
        if dialect is not None:
            self._gateway.strangers.forget(self)
            dialect.closed()

    def shutdown(self) -> None:
        """Called by uvicorn when the server stops: reconnect to somebody else."""
        if self.dialect is not None:
            self.dialect.going_away("the server is restarting")
        self.close(1012, "the server is restarting")
        # The peer's answer ends it. Ended at once, what it is still sending would make the kernel reset the connection,
        # and take back the goodbye that it has not read.
        asyncio.get_running_loop().call_later(PARTING_TIMEOUT_SECONDS, self.abort)

    @property
    def is_congested(self) -> bool:
        return self._backlog is not None and self._backlog.is_congested

    async def drained(self) -> None:
        """Returns once the kernel has taken what was written, or the connection is gone."""
        if self._backlog is not None:
            await self._backlog.ended.wait()

    # Reading pauses

    def hold_reading(self) -> None:
        """Stop reading until ``release_reading`` has been called as often."""
        self._reading_holds += 1
        if self._reading_holds == 1 and not self.transport.is_closing():
            self.transport.pause_reading()

    def release_reading(self) -> None:
        self._reading_holds -= 1
        if self._reading_holds == 0 and not self.transport.is_closing():
            self.transport.resume_reading()

    def _hold_reading_for(self, seconds: float) -> None:
        self.hold_reading()
        asyncio.get_running_loop().call_later(seconds, self.release_reading)

    def send(self, message: bytes) -> None:
        """Write one message as one binary frame."""
        if not self.closing:
            self.write(framing.binary_frame(message))

    def count_for(self, user: str, limit: ConnectionLimit) -> None:
        """Count this connection for the first user that it serves, until it ends. Raises RateLimited."""
        if self._counted is None:
            limit.acquire(user)
            self._counted = (user, limit)

    def abort(self) -> None:
        self._release_socket()
        self.transport.abort()

    def check(self, now: float, slow_seconds: float) -> None:
        """The periodic look: is the peer there, does it read, does it need to hear something?"""
        if self.closing:
            return
        if self._backlog is not None:
            # Its answer to a ping would wait behind all that: whether bytes move says that it lives.
            self._part_if_stuck(self._backlog, now, slow_seconds)
            return
        if not self.alive and not self._reading_holds:
            self._ending = SILENT
            self.abort()
            return
        self.alive = False
        self.write(framing.header(framing.PING, 0))
        if self.dialect is not None:
            self.dialect.keep_alive(now)

    def _part_if_stuck(self, backlog: Backlog, now: float, patience: float) -> None:
        left = self.transport.get_write_buffer_size()
        if backlog.is_stuck(now, left, patience):
            logger.warning("%s took nothing for %g s and is closed; %d bytes wait", self._described(), patience, left)
            self.close(1013, "this connection reads too slowly")
            self._ending = SLOW

    def _described(self) -> str:
        return f"a connection of {self._counted[0]}" if self._counted else "a connection of nobody known"
