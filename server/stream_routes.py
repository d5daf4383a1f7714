"""Streams of server-sent events, and who may have which: `GET /feeds/{workspace_id}/{feed}/stream`,
`GET /notifications/stream` and, for each operation that can be watched, its own address and `/stream`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.feed_events import Position, parse_position
from handlers.feed_names import check_name, feed_of, inbox_of
from handlers.live_answers import LiveAnswers
from handlers.parts import Parts
from handlers.registry import (
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    Operation,
    OperationError,
    Permission,
    Principal,
)
from handlers.registry import Unavailable as NotNow
from server.auth import Authenticator
from server.caller import address_of
from server.drain import Departure
from server.event_stream import HEADERS, AnswerStream, EventStream, EventStreamResponse
from server.gateway import Gateway
from server.limits import ConnectionLimit
from server.parameters import RequestShape
from server.problems import REQUEST_ID_HEADER, fault_response, problem_response, request_id_of
from server.request_limit import RequestLimit
from server.visitors import visitor_of
from storage.errors import Unavailable

# An EventSource sends no header of its own, so what it is to say stands in the address.
_CREDENTIALS = ("token", "ticket")
_PARAMETERS = ("since", *_CREDENTIALS)


class Asked(NamedTuple):
    """A feed that somebody asked for. `workspace_id` is None for the caller's inbox."""

    operation: str
    workspace_id: str | None
    feed: str

    @property
    def counts_as(self) -> str:
        """The operation that a key has to be for."""
        return "notifications.watch" if self.workspace_id is None else "feeds.watch"


def stream_routes(
    parts: Parts, authenticator: Authenticator, gateway: Gateway, connections: ConnectionLimit
) -> list[Route]:
    """The routes; `connections` limits the open streams of each user."""
    streams = Streams(parts, authenticator, gateway.requests, connections, gateway.departure)
    watched = [operation for operation in gateway.operations.values() if operation.watched is not None]
    return [
        Route("/feeds/{workspace_id}/{feed}/stream", streams.feed, methods=["GET"], include_in_schema=False),
        Route("/notifications/stream", streams.inbox, methods=["GET"], include_in_schema=False),
        *(_answer_route(operation, gateway.answers, streams) for operation in watched),
    ]


class Streams:
    """Answers with streams, or with the problem why not."""

    def __init__(
        self,
        parts: Parts,
        authenticator: Authenticator,
        requests: RequestLimit,
        connections: ConnectionLimit,
        departure: Departure,
    ) -> None:
        self._parts = parts
        self._authenticator = authenticator
        self._requests = requests
        self._connections = connections
        self._departure = departure

    async def feed(self, request: Request) -> Response:
        path = request.path_params
        return await self._answer_feed(request, Asked("feeds.stream", path["workspace_id"], path["feed"]))

    async def inbox(self, request: Request) -> Response:
        return await self._answer_feed(request, Asked("notifications.stream", None, ""))

    async def answer(
        self, request: Request, operation: str, make: Callable[[Request, str], Awaitable[Response]]
    ) -> Response:
        """What `make` answers for the request and its id, or the problem."""
        request_id = request_id_of(request)
        request.state.operation = operation
        try:
            return await make(request, request_id)
        except OperationError as error:
            return problem_response(error, request_id)
        except Unavailable:
            return problem_response(NotNow("The database cannot be used at this moment; try again."), request_id)
        except Exception as error:
            return fault_response(error, request_id)

    async def _answer_feed(self, request: Request, asked: Asked) -> Response:
        async def make(request: Request, request_id: str) -> Response:
            principal = await self._admit(request, asked, request_id)
            await self.count(request, principal)
            name, since, feeds = _name_of(asked, principal), _since(request), self._parts.feeds
            if request.method == "HEAD":
                return head_of(request_id)
            stream = EventStream()
            return self.open(
                request_id,
                principal,
                lambda headers, on_end: EventStreamResponse(
                    feeds,
                    stream,
                    lambda stream: feeds.watch(name, stream, principal, asked.workspace_id, since),
                    self._departure,
                    headers,
                    on_end=on_end,
                ),
            )

        return await self.answer(request, asked.operation, make)

    async def count(self, request: Request, principal: Principal) -> None:
        """A request of this user. Raises RateLimited, and Unavailable while the server stops."""
        request.state.user = principal.user_id
        await self._requests.take(principal.user_id)
        if self._departure.begun.is_set():
            raise NotNow("The server is stopping; come back.")

    def open(
        self,
        request_id: str,
        principal: Principal,
        make: Callable[[dict[str, str], Callable[[], None]], EventStreamResponse[Any, Any]],
    ) -> Response:
        """The stream that `make` gives for headers and what to call at its end. Raises RateLimited."""
        self._connections.acquire(principal.user_id)
        return make({REQUEST_ID_HEADER: request_id}, lambda: self._connections.release(principal.user_id))

    async def _admit(self, request: Request, asked: Asked, request_id: str) -> Principal:
        principal = None
        try:
            principal = await self.principal(request)
            permission = Permission.SIGNED_IN if asked.workspace_id is None else Permission.READ
            await self._parts.access.require(principal, permission, asked.workspace_id, operation=asked.counts_as)
        except (NotAuthenticated, Forbidden) as refusal:
            self.note_refusal(request, asked.operation, principal, refusal, request_id)
            raise
        return principal

    def note_refusal(
        self,
        request: Request,
        operation: str,
        principal: Principal | None,
        refusal: NotAuthenticated | Forbidden,
        request_id: str,
    ) -> None:
        """Into the audit trail."""
        self._parts.audit.refused(
            actor=principal.user_id if principal else None,
            action=operation,
            target="/".join(request.path_params.values()),
            code=refusal.noted,
            request_id=request_id,
            address=address_of(request),
            account=refusal.account,
        )

    async def principal(self, request: Request) -> Principal:
        """Whoever the header, or else the address, speaks for. Raises NotAuthenticated."""
        principal = await self._authenticator.authenticate_headers(request.headers, visitor_of(request))
        if principal is not None:
            return principal
        credential = request.query_params.get("token") or request.query_params.get("ticket")
        if not credential:
            raise NotAuthenticated("Sign in first: send a bearer token, or `?ticket=` where headers cannot be sent.")
        return await self._authenticator.authenticate(credential, visitor_of(request))

    @property
    def departure(self) -> Departure:
        return self._departure


def _answer_route(operation: Operation, answers: LiveAnswers, streams: Streams) -> Route:
    """The operation's answer as a stream; its parameters stand in the address."""
    shape = RequestShape(operation)

    async def make(request: Request, request_id: str) -> Response:
        try:
            principal = await streams.principal(request)
        except NotAuthenticated as refusal:
            streams.note_refusal(request, operation.name, None, refusal, request_id)
            raise
        await streams.count(request, principal)
        items = [(name, text) for name, text in request.query_params.multi_items() if name not in _CREDENTIALS]
        parameters = {**shape.from_query(items), **shape.from_path(request.path_params)}
        stream = AnswerStream()
        watch = await answers.watch(operation.name, parameters, stream, principal, request_id)
        if request.method == "HEAD":
            answers.close(watch)
            return head_of(request_id)
        try:
            return streams.open(
                request_id,
                principal,
                lambda headers, on_end: EventStreamResponse(
                    answers, stream, lambda _: watch, streams.departure, headers, on_end=on_end
                ),
            )
        except OperationError:
            answers.close(watch)
            raise

    async def endpoint(request: Request) -> Response:
        return await streams.answer(request, operation.name, make)

    return Route(f"{operation.path}/stream", endpoint, methods=["GET"], include_in_schema=False)


def head_of(request_id: str) -> Response:
    """A stream's headers."""
    return Response(headers={**HEADERS, REQUEST_ID_HEADER: request_id})


def _name_of(asked: Asked, principal: Principal) -> str:
    """The whole name of the feed. Raises InvalidRequest."""
    if asked.workspace_id is None:
        return inbox_of(principal.user_id)
    return feed_of(asked.workspace_id, check_name(asked.feed))


def _since(request: Request) -> Position | None:
    """Where to begin: what the browser saw last counts more than what stood in the address when it first came."""
    unknown = sorted(set(request.query_params) - set(_PARAMETERS))
    if unknown:
        details = {"unknown": unknown, "known": list(_PARAMETERS)}
        raise InvalidRequest(f"A stream has no parameter {unknown[0]!r}.", details=details)
    if last := request.headers.get("last-event-id"):
        return parse_position(last, "Last-Event-ID")
    since = request.query_params.get("since")
    return parse_position(since, "since") if since else None
