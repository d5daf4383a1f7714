"""HTTP: one route a path of the registry, and what it takes to get from a request to an operation and back.

Responsible for HTTP alone: parameters out of path, query and body; media types; problem documents; streaming. Who may
do what, and what is done, is decided behind `handlers.dispatch.execute`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_origin

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from handlers.dispatch import execute
from handlers.paging import MAX_ITEMS
from handlers.parts import Parts
from handlers.registry import Context, NotAuthenticated, Operation, OperationError, Page, Permission, Principal
from server.batch import batch_operation, calls_beyond_one
from server.caller import address_of
from server.docs_page import docs_route
from server.openapi import openapi_route
from server.parameters import RequestShape
from server.problems import (
    REQUEST_ID_HEADER,
    Internal,
    fault_response,
    method_not_allowed,
    problem_of,
    problem_response,
    request_id_of,
)
from server.representation import NDJSON, encode, media_type_of, read_body, respond, wanted
from server.request_limit import Allowance, RequestLimit, TooManyRequests

logger = logging.getLogger(__name__)

# Answers are somebody's own, and bytes of documents must not be taken for pages.
_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}

Authenticate = Callable[[Request], Awaitable[Principal | None]]


def utc_now() -> datetime:
    return datetime.now(UTC)


def build_routes(
    operations: Sequence[Operation],
    parts: Parts,
    authenticate: Authenticate,
    *,
    now: Callable[[], datetime] = utc_now,
    requests: RequestLimit | None = None,
) -> list[Route]:
    """The routes of the operations, of `POST /batch` over them, of `/openapi.json` and of `/docs`.

    `requests` counts those of each user, where they are limited. `authenticate` takes the request and answers with the
    principal, None where no credential was sent, or raises NotAuthenticated for one that does not hold.
    """
    table = (*operations, batch_operation(operations))
    by_path: dict[str, list[Operation]] = {}
    for operation in table:
        by_path.setdefault(operation.path, []).append(operation)
    routes = []
    for path in sorted(by_path, key=_static_first):
        methods = {operation.method: operation for operation in by_path[path]}
        if len(methods) < len(by_path[path]):
            raise ValueError(f"two operations share a method of {path}")
        routes.append(Route(path, _Endpoint(methods, parts, authenticate, now, requests), methods=None, name=path))
    return [*routes, openapi_route(table), docs_route()]


def _static_first(path: str) -> list[tuple[bool, str]]:
    """Sorts `/a/search` before `/a/{id}`, which would take its requests."""
    return [(segment.startswith("{"), segment) for segment in path.split("/")]


class _Endpoint:
    """All operations of one path: an ASGI app that answers for each method."""

    def __init__(
        self,
        methods: Mapping[str, Operation],
        parts: Parts,
        authenticate: Authenticate,
        now: Callable[[], datetime],
        requests: RequestLimit | None,
    ) -> None:
        self._methods = methods
        self._shapes = {method: RequestShape(operation) for method, operation in methods.items()}
        self._parts = parts
        self._authenticate = authenticate
        self._now = now
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        method = "GET" if request.method == "HEAD" else request.method
        operation = self._methods.get(method)
        if operation is None:
            response = method_not_allowed(self._methods, request_id_of(request))
        else:
            request.state.operation = operation.name
            response = await self._answer(request, operation, self._shapes[method])
            response.headers.update(allowance_headers(request))
        await response(scope, receive, send)

    async def _answer(self, request: Request, operation: Operation, shape: RequestShape) -> Response:
        request_id = request_id_of(request)
        try:
            return await self._run(request, operation, shape, request_id)
        except OperationError as error:
            return problem_response(error, request_id)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except Exception as error:
            return fault_response(error, request_id)

    async def _run(self, request: Request, operation: Operation, shape: RequestShape, request_id: str) -> Response:
        principal = await self._principal(request, operation, request_id)
        request.state.user = principal.user_id if principal else None
        await self._count(request, principal, 1)
        context = Context(principal=principal, parts=self._parts, request_id=request_id, now=self._now)
        parameters = await self._parameters(request, operation, shape, principal)
        await self._count(request, principal, calls_beyond_one(operation, parameters))
        media_type = wanted(request)
        streamed = media_type == NDJSON and get_origin(operation.result) is Page and shape.has_cursor
        if streamed and shape.has_limit:
            parameters.setdefault("limit", MAX_ITEMS)
        executing = execute(operation, context, parameters)
        result = await (_until_gone(request, executing) if operation.stops_with_caller else executing)
        headers = {**_HEADERS, REQUEST_ID_HEADER: request_id}
        if streamed:
            lines = _lines(operation, context, parameters, result)
            return StreamingResponse(lines, operation.status, headers, NDJSON)
        return respond(result, operation.status, media_type, headers)

    async def _principal(self, request: Request, operation: Operation, request_id: str) -> Principal | None:
        try:
            return await self._authenticate(request)
        except NotAuthenticated as error:
            target = "/".join(request.path_params.values())
            self._parts.audit.refused(
                actor=None,
                action=operation.name,
                target=target,
                code=error.noted,
                request_id=request_id,
                address=address_of(request),
                account=error.account,
            )
            raise

    async def _count(self, request: Request, principal: Principal | None, calls: int) -> None:
        """Raises TooManyRequests for a user who has made too many. Strangers are refused anyway."""
        if self._requests is None or principal is None or not calls:
            return
        try:
            request.state.allowance = await self._requests.take(principal.user_id, calls)
        except TooManyRequests as refusal:
            request.state.allowance = refusal.allowance
            raise

    async def _parameters(
        self, request: Request, operation: Operation, shape: RequestShape, principal: Principal | None
    ) -> dict[str, Any]:
        path = shape.from_path(request.path_params)
        if principal is None and operation.permission is not Permission.PUBLIC:
            return path  # it will be refused: a stranger's body is not even read
        query = shape.from_query(request.query_params.multi_items())
        body = {}
        if shape.takes_body:
            content = await read_body(request, self._parts.limits.body_bytes)
            body = shape.from_body(content, media_type_of(request))
        return {**body, **query, **path}


async def _until_gone(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    """What the work answers; cancelled when the client goes away, whose body has been read. Raises ClientDisconnect."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def allowance_headers(request: Request) -> dict[str, str]:
    allowance: Allowance | None = getattr(request.state, "allowance", None)
    return {} if allowance is None else allowance.headers()


async def _lines(
    operation: Operation, context: Context, parameters: dict[str, Any], page: Page[Any]
) -> AsyncIterator[bytes]:
    """Every item of a list on a line of its own, page after page; each page is asked for, and permitted, anew.

    A failure on the way ends the stream with a last line `{"problem": {...}}`.
    """
    while True:
        yield b"".join(encode(item, NDJSON) + b"\n" for item in page.items)
        if page.next_cursor is None:
            return
        try:
            page = await execute(operation, context, {**parameters, "cursor": page.next_cursor})
        except OperationError as error:
            yield _last_line(error, context)
            return
        except Exception:
            logger.exception("request %s failed on the way", context.request_id)
            yield _last_line(Internal(), context)
            return


def _last_line(error: OperationError, context: Context) -> bytes:
    return encode({"problem": problem_of(error, context.request_id)}, NDJSON) + b"\n"
