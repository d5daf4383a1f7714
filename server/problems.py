"""Errors over HTTP: RFC 9457 problem documents, and the request id that every answer carries."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from handlers.registry import OperationError

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
REQUEST_ID_HEADER = "X-Request-Id"

# What a proxy in front may hand down; anything else could forge lines in a log.
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,64}$")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document. `code` is for programs, `message` (the same as `detail`) for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    message: str
    details: dict[str, Any] | None = None
    request_id: str


class Internal(OperationError):
    """A fault of ours: told without a word of what happened inside."""

    def __init__(self) -> None:
        super().__init__("The server failed; its log tells more under the request id.")


class MethodNotAllowed(OperationError):
    status = 405
    default_code = "method_not_allowed"


def request_id_of(request: Request) -> str:
    """The caller's X-Request-Id where it is a plain word, else a new one; the same for the whole request."""
    state = request.scope.setdefault("state", {})
    if "request_id" not in state:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        state["request_id"] = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
    return str(state["request_id"])


def problem_of(error: OperationError, request_id: str) -> Problem:
    return Problem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.message,
        code=error.code,
        message=error.message,
        details=error.details,
        request_id=request_id,
    )


def problem_response(error: OperationError, request_id: str) -> Response:
    """The error as a response; `details.retry_after` (seconds) becomes the header."""
    headers = {REQUEST_ID_HEADER: request_id, "Cache-Control": "no-store"}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = (error.details or {}).get("retry_after")
    if isinstance(retry_after, int | float):
        headers["Retry-After"] = str(max(1, round(retry_after)))
    body = msgspec.json.encode(problem_of(error, request_id))
    return Response(body, error.status, headers, PROBLEM_TYPE)


def fault_response(error: Exception, request_id: str) -> Response:
    """An unforeseen exception as a 500; the exception itself goes to the log only."""
    logger.error("request %s failed", request_id, exc_info=error)
    return problem_response(Internal(), request_id)


def method_not_allowed(allowed: Iterable[str], request_id: str) -> Response:
    error = MethodNotAllowed(f"This address answers to {' and '.join(sorted(allowed))} only.")
    response = problem_response(error, request_id)
    response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """What the router refuses by itself, a path that is not there above all, in the same shape as all else."""
    request_id = request_id_of(request)
    if not isinstance(error, HTTPException):
        return fault_response(error, request_id)
    status = HTTPStatus(error.status_code)
    message = f"There is nothing at {request.url.path}." if status == HTTPStatus.NOT_FOUND else error.detail
    problem = Problem(
        title=status.phrase,
        status=status,
        detail=message,
        code=status.name.lower(),
        message=message,
        request_id=request_id,
    )
    headers = {**(error.headers or {}), REQUEST_ID_HEADER: request_id}
    return Response(msgspec.json.encode(problem), status, headers, PROBLEM_TYPE)


EXCEPTION_HANDLERS = {HTTPException: _answer_http_exception, Exception: _answer_http_exception}
