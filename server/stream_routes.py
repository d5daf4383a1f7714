"""`GET /feeds/{workspace_id}/{feed}/stream` and `GET /notifications/stream`: who may have which feed as a stream."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.feed_events import Position, parse_position
from handlers.feed_names import check_name, feed_of, inbox_of
from handlers.parts import Parts
from handlers.registry import Forbidden, InvalidRequest, NotAuthenticated, OperationError, Permission, Principal
from handlers.registry import Unavailable as NotNow
from server.auth import Authenticator
from server.drain import Departure
from server.event_stream import HEADERS, EventStreamResponse
from server.gateway import Gateway
from server.limits import ConnectionLimit
from server.problems import REQUEST_ID_HEADER, fault_response, problem_response, request_id_of
from server.request_limit import RequestLimit
from storage.errors import Unavailable

# An EventSource sends no header of its own, so what it is to say stands in the address.
_PARAMETERS = ("since", "token", "ticket")


class Asked(NamedTuple):
    """A stream that somebody asked for. `workspace_id` is None for the caller's inbox."""

    operation: str
    workspace_id: str | None
    feed: str


def stream_routes(
    parts: Parts, authenticator: Authenticator, gateway: Gateway, connections: ConnectionLimit
) -> list[Route]:
    """The two routes; `connections` limits the open streams of each user."""
    streams = Streams(parts, authenticator, gateway.requests, connections, gateway.departure)
    return [
        Route("/feeds/{workspace_id}/{feed}/stream", streams.feed, methods=["GET"], include_in_schema=False),
        Route("/notifications/stream", streams.inbox, methods=["GET"], include_in_schema=False),
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
        return await self._answer(request, Asked("feeds.stream", path["workspace_id"], path["feed"]))

    async def inbox(self, request: Request) -> Response:
        return await self._answer(request, Asked("notifications.stream", None, ""))

    async def _answer(self, request: Request, asked: Asked) -> Response:
        request_id = request_id_of(request)
        request.state.operation = asked.operation
        try:
            return await self._stream(request, asked, request_id)
        except OperationError as error:
            return problem_response(error, request_id)
        except Unavailable:
            return problem_response(NotNow("The database cannot be used at this moment; try again."), request_id)
        except Exception as error:
            return fault_response(error, request_id)

    async def _stream(self, request: Request, asked: Asked, request_id: str) -> Response:
        principal = await self._admit(request, asked, request_id)
        request.state.user = principal.user_id
        await self._requests.take(principal.user_id)
        name, since = _name_of(asked, principal), _since(request)
        if self._departure.begun.is_set():
            raise NotNow("The server is stopping; come back.")
        headers = {REQUEST_ID_HEADER: request_id}
        if request.method == "HEAD":
            return Response(headers={**HEADERS, **headers})
        self._connections.acquire(principal.user_id)
        feeds = self._parts.feeds
        return EventStreamResponse(
            feeds,
            lambda stream: feeds.watch(name, stream, principal, asked.workspace_id, since),
            self._departure,
            headers,
            on_end=lambda: self._connections.release(principal.user_id),
        )

    async def _admit(self, request: Request, asked: Asked, request_id: str) -> Principal:
        principal = None
        try:
            principal = await self._principal(request)
            permission = Permission.SIGNED_IN if asked.workspace_id is None else Permission.READ
            await self._parts.access.require(principal, permission, asked.workspace_id)
        except (NotAuthenticated, Forbidden) as refusal:
            self._parts.audit.refused(
                actor=principal.user_id if principal else None,
                action=asked.operation,
                target="/".join(request.path_params.values()),
                code=refusal.code,
                request_id=request_id,
            )
            raise
        return principal

    async def _principal(self, request: Request) -> Principal:
        """Whoever the header, or else the address, speaks for. Raises NotAuthenticated."""
        principal = await self._authenticator.authenticate_headers(request.headers)
        if principal is not None:
            return principal
        credential = request.query_params.get("token") or request.query_params.get("ticket")
        if not credential:
            raise NotAuthenticated("Sign in first: send a bearer token, or `?ticket=` where headers cannot be sent.")
        return await self._authenticator.authenticate(credential)


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
