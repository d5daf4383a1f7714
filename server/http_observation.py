"""What surrounds every HTTP request: its id, its place in the figures, a line of access log, a span."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.registry import METHODS
from server import logs
from server.problems import REQUEST_ID_HEADER, request_id_of
from server.request_counts import RequestCounts
from server.socket_observation import NOWHERE

if TYPE_CHECKING:
    from server.open_telemetry import Tracing

access_log = logging.getLogger("server.access")

# The server's own pages; all that is at no known address is one more name.
PAGES = {
    "/": "root",
    "/docs": "docs",
    "/openapi.json": "openapi",
    "/health": "health",
    "/ready": "ready",
    "/metrics": "metrics",
}
# Asked every few seconds by machines: nobody wants to read that all is well.
PROBES = {"/health", "/ready", "/metrics"}
KNOWN_METHODS = {*METHODS, "HEAD", "OPTIONS"}
# Nobody waited for the answer.
GONE = 499


class HttpObservation:
    """Wraps the HTTP application; WebSockets pass."""

    def __init__(self, app: ASGIApp, counts: RequestCounts, *, writes_log: bool, tracing: Tracing | None) -> None:
        self._app = app
        self._counts = counts
        self._writes_log = writes_log
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = Answer(scope, send)
        served = logs.request_id.set(answer.request_id)
        self._counts.running += 1
        try:
            await self._serve(scope, receive, answer)
        finally:
            self._counts.running -= 1
            self._note(scope, answer)
            logs.request_id.reset(served)

    async def _serve(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        if self._tracing is None or scope["path"] in PROBES:
            await self._app(scope, receive, answer.send)
            return
        with self._tracing.request(scope["headers"]) as span:
            try:
                await self._app(scope, receive, answer.send)
            finally:
                span.ended(operation_of(scope), scope["method"], answer.status, answer.request_id)

    def _note(self, scope: Scope, answer: Answer) -> None:
        operation, seconds = operation_of(scope), time.monotonic() - answer.started
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        self._counts.add(operation, method, answer.status, seconds)
        if self._writes_log and not (scope["path"] in PROBES and answer.status < 400):
            _write(scope, answer, operation, seconds)


class Answer:
    """What is known of the answer to a request. Every answer says which request it is for."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self.started = time.monotonic()
        self.request_id = request_id_of(Request(scope))
        self.status = GONE

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message).setdefault(REQUEST_ID_HEADER, self.request_id)
        await self._send(message)


def operation_of(scope: Scope) -> str:
    """The operation that a request asked for, a page of the server's own, or `none`."""
    return str(scope["state"].get("operation") or PAGES.get(scope["path"], NOWHERE))


def _write(scope: Scope, answer: Answer, operation: str, seconds: float) -> None:
    client = scope.get("client")
    fields = {
        "client": client[0] if client else None,
        "user": scope["state"].get("user"),
        "method": scope["method"],
        # Without the query, in which credentials may stand.
        "path": scope["path"],
        "operation": operation,
        "status": answer.status,
        "seconds": round(seconds, 6),
    }
    who = (fields["client"] or "-", fields["user"] or "-")
    what = (scope["method"], scope["path"], answer.status, seconds * 1000)
    access_log.info("%s %s %s %s %d %.1f ms", *who, *what, extra={"fields": fields})
