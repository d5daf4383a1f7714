"""A process's HTTP server: it accepts connections, and takes a signal to stop as a wish that was fulfilled."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from server.drain import REQUESTS
from server.gateway import Gateway

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Says when it accepts connections. Stops at a signal: parts the gateway's connections, lets requests finish.

    At a second signal the process ends at once, if it `hurries`; one with a supervisor leaves that to it, as both may
    be sent the same signal by the same hand.
    """

    def __init__(
        self, config: uvicorn.Config, gateway: Gateway, started: Callable[[Server], None], *, hurries: bool
    ) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._tell_started = started
        self._hurries = hurries

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            logger.info("accepting connections")
            self._tell_started(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("stopping")
        departure = self._gateway.departure
        departure.begin()
        departure.end_in_any_case()
        # Newcomers are still accepted, and told that this node is not ready: a load balancer learns it from that.
        await self._gateway.drain()
        # uvicorn hands it to asyncio as it is, whatever it calls it.
        self.config.timeout_graceful_shutdown = max(1.0, departure.left(REQUESTS))  # type: ignore[assignment]
        await super().shutdown(sockets)

    def give_way(self) -> None:
        """Stop, and leave newcomers to whoever else accepts from the same socket."""
        for server in self.servers:
            server.close()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._stop) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal handlers are called
        if self.should_exit and self._hurries:
            os._exit(128 + number)
        self.should_exit = True
