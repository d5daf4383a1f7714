"""What surrounds every request that comes over a WebSocket: its id, its place in the figures, a span."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from server import logs
from server.request_counts import RequestCounts

if TYPE_CHECKING:
    from server.open_telemetry import Tracing

METHOD = "socket"
# What was asked for is no operation.
NOWHERE = "none"


class Outcome:
    """How a request went: `status` as over HTTP, a fault of ours until something else is known."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        self.status = 500


class SocketObservation:
    """The requests of all sockets of a node. `request` is entered in a task of the request's own."""

    def __init__(self, tracing: Tracing | None = None) -> None:
        self.counts = RequestCounts()
        self._tracing = tracing

    @contextlib.contextmanager
    def request(self, operation: str, request_id: str) -> Iterator[Outcome]:
        """Around the answering of one request. `operation` is one that exists, or `none`."""
        outcome, started = Outcome(), time.monotonic()
        logs.request_id.set(request_id)
        self.counts.running += 1
        try:
            if self._tracing is None:
                yield outcome
                return
            with self._tracing.request() as span:
                try:
                    yield outcome
                finally:
                    span.ended(operation, METHOD, outcome.status, request_id)
        finally:
            self.counts.running -= 1
            self.counts.add(operation, METHOD, outcome.status, time.monotonic() - started)
