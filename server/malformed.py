"""uvicorn's HTTP protocol, but for what it answers to bytes that are no HTTP: a problem document, as all else."""

from __future__ import annotations

import secrets
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from handlers.registry import InvalidRequest
from server.problems import PROBLEM_TYPE, REQUEST_ID_HEADER, problem_of
from server.security_headers import LINES


class HttpProtocol(HttpToolsProtocol):
    """One connection. What cannot be parsed has no path and no headers, so no operation ever hears of it."""

    def send_400_response(self, msg: str) -> None:
        """`msg` is uvicorn's, for its log."""
        request_id = secrets.token_hex(8)
        self.logger.debug("request %s: %s", request_id, msg)
        error = InvalidRequest(
            "This is no HTTP request, or its address is longer than 64 KiB.", code="malformed_request"
        )
        body = msgspec.json.encode(problem_of(error, request_id))
        head = (
            f"content-type: {PROBLEM_TYPE}\r\n{REQUEST_ID_HEADER.lower()}: {request_id}\r\n"
            f"content-length: {len(body)}\r\n{LINES}connection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[HTTPStatus.BAD_REQUEST] + head.encode("ascii") + body)
        self.transport.close()
