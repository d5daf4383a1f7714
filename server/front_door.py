"""The first bytes of every connection: is it one of our WebSockets, or plain HTTP?

A WebSocket handshake needs no HTTP application. It is recognised by its path and taken over here, before an HTTP
parser, a scope and a task are made for it; everything else goes to uvicorn's protocol as it came.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.server import ServerState

from server import handshake
from server.malformed import HttpProtocol
from server.websocket import WebSocketProtocol

OUR_PATHS = (b"GET /ws", b"GET /yjs/")
# Cookies and tokens come along; more than this is no honest handshake.
MAX_HEAD_BYTES = 32 * 1024


class FrontDoor(asyncio.Protocol):
    """Stands in for the HTTP protocol until it knows better. uvicorn makes one for each connection."""

    __slots__ = (
        "_arguments",
        "_connections",
        "_deadline",
        "_head",
        "_make_websocket",
        "_state",
        "_timer",
        "_transport",
    )

    def __init__(
        self,
        make_websocket: Callable[[ServerState], WebSocketProtocol],
        deadline: float,
        *,
        server_state: ServerState,
        **arguments: Any,
    ) -> None:
        self._make_websocket = make_websocket
        self._deadline = deadline
        self._state = server_state
        self._connections = server_state.connections
        self._arguments = arguments
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(cast(Any, self))
        self._timer = asyncio.get_running_loop().call_later(self._deadline, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's interface
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._head += data
        head = self._head
        if not head.startswith(OUR_PATHS):
            self._hand_over_to_http()
            return
        end = head.find(b"\r\n\r\n")
        if end >= 0:
            self._hand_over(head[: end + 4], head[end + 4 :])
        elif len(head) > MAX_HEAD_BYTES:
            self._hand_over_to_http()

    def _hand_over(self, head: bytes, rest: bytes) -> None:
        upgrade = handshake.parse(head)
        if not upgrade.is_websocket:
            self._hand_over_to_http()
            return
        self._leave()
        websocket = self._make_websocket(self._state)
        self._transport.set_protocol(websocket)
        websocket.connection_made(self._transport)
        websocket.open(upgrade)
        if rest:
            websocket.data_received(rest)

    def _hand_over_to_http(self) -> None:
        self._leave()
        http = HttpProtocol(server_state=self._state, **self._arguments)
        self._transport.set_protocol(http)
        http.connection_made(self._transport)
        http.data_received(self._head)

    def _leave(self) -> None:
        self._connections.discard(cast(Any, self))
        if self._timer is not None:
            self._timer.cancel()

    def shutdown(self) -> None:
        """Called by uvicorn when the server stops."""
        self._transport.close()
