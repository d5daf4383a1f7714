"""The addresses that samples are pushed to, below `/performance/sources/{data_source_id}`:

`/otlp/v1/metrics`   OTLP/HTTP, in protocol buffers or JSON
`/api/v1/write`      Prometheus' remote-write, 1.0 and 2.0
`/samples`           plain JSON: a list, or one sample a line

They take a push key of the source, or the credential of somebody who may write in its workspace. Which source the
samples are of says the address, and nothing in them can say another.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.credentials import PUSH_KEY_PREFIX
from handlers.detections.pushing import OPERATIONS as EVENT_OPERATIONS
from handlers.detections.pushing import PATH as EVENTS_PATH
from handlers.detections.pushing import store_events
from handlers.gathered_samples import window_of
from handlers.ingest.admission import Admissions
from handlers.ingest.pushing import Pushed, decoding, push
from handlers.ingest.samples import OPERATIONS, store_samples
from handlers.ingest.senders import Senders
from handlers.ingest.wire import Malformed
from handlers.names import RowId
from handlers.parts import Parts
from handlers.registry import (
    Context,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    Operation,
    OperationError,
    Permission,
    Unavailable,
)
from handlers.source_access import require_source
from server.auth import Authenticator
from server.caller import address_of
from server.http import allowance_headers
from server.problems import REQUEST_ID_HEADER, fault_response, problem_response, request_id_of
from server.push_bodies import unpacked
from server.push_events import events_of
from server.push_formats import Format, otlp_format, remote_write_format
from server.push_samples import PLAIN_ENCODINGS, samples_of
from server.representation import media_type_of, read_body, respond, wanted
from server.request_limit import RequestLimit, TooManyRequests
from server.visitors import visitor_of
from storage.data_sources import DataSource
from storage.errors import Unavailable as StorageUnavailable

# What the audit trail and the server's own figures call it, whatever the form.
OPERATION = OPERATIONS[0]
EVENTS = EVENT_OPERATIONS[0]
_PREFIX = "/performance/sources/{data_source_id}"
_FORMATS = {"/otlp/v1/metrics": otlp_format, "/api/v1/write": remote_write_format}


class Sender(NamedTuple):
    """Who pushes, and to what; requests are counted by `account`."""

    account: str
    source: DataSource


def push_routes(
    parts: Parts, authenticator: Authenticator, requests: RequestLimit | None, now: Callable[[], datetime]
) -> list[Route]:
    """The routes; `requests` counts those of each user and each key, where they are limited."""
    pushing = _Pushing(parts, authenticator, requests, now)
    routes = [
        Route(f"{_PREFIX}/samples", pushing.samples, methods=["POST"], include_in_schema=False),
        Route(EVENTS_PATH, pushing.events, methods=["POST"], include_in_schema=False),
    ]
    for path, format_of in _FORMATS.items():
        routes.append(Route(f"{_PREFIX}{path}", pushing.endpoint(format_of), methods=["POST"], include_in_schema=False))
    return routes


class _Pushing:
    def __init__(
        self,
        parts: Parts,
        authenticator: Authenticator,
        requests: RequestLimit | None,
        now: Callable[[], datetime],
    ) -> None:
        self._parts = parts
        self._authenticator = authenticator
        self._requests = requests
        self._now = now
        self._senders = Senders()
        self._admissions = Admissions(parts.database, parts.access, now)

    def endpoint(self, format_of: Callable[[Request], Format]) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that takes this kind of body."""

        async def endpoint(request: Request) -> Response:
            form = None
            request_id = request_id_of(request)
            try:
                sender = await self._admit(request, request_id)
                form = format_of(request)
                pushed = await self._take(request, sender, form)
                return self._answered(request, form.answer(pushed, request_id))
            except Exception as error:
                return self._failed(request, error, form.refuse if form else problem_response)

        return endpoint

    async def samples(self, request: Request) -> Response:
        request_id = request_id_of(request)
        try:
            sender = await self._admit(request, request_id)
            limit = self._parts.limits.body_bytes
            body = await read_body(request, limit)
            body = await unpacked(body, request.headers.get("content-encoding", ""), PLAIN_ENCODINGS, limit)
            asked = await samples_of(body, media_type_of(request), sender.source.id)
            answer = await store_samples(self._parts, sender.source, asked.samples, self._now())
            return self._answered(request, respond(answer, 200, wanted(request), {}))
        except Exception as error:
            return self._failed(request, error, problem_response)

    async def events(self, request: Request) -> Response:
        """Security events of a source."""
        request_id = request_id_of(request)
        try:
            sender = await self._admit(request, request_id, EVENTS)
            limit = self._parts.limits.body_bytes
            body = await read_body(request, limit)
            body = await unpacked(body, request.headers.get("content-encoding", ""), PLAIN_ENCODINGS, limit)
            read = await events_of(body, media_type_of(request), sender.source.id)
            answer = await store_events(
                self._parts, sender.source, read.events, self._now(), ignored=read.ignored, unreadable=read.unreadable
            )
            return self._answered(request, respond(answer, 200, wanted(request), {}))
        except Exception as error:
            return self._failed(request, error, problem_response)

    async def _take(self, request: Request, sender: Sender, form: Format) -> Pushed:
        limit = self._parts.limits.body_bytes
        body = await read_body(request, limit)
        body = await unpacked(body, request.headers.get("content-encoding", ""), form.encodings, limit)
        window = window_of(self._parts.samples.policy, self._now())
        reader = self._senders.reader(sender.source.id, form.reader)
        try:
            decoded = await decoding(len(body), lambda: reader.read(body, window))
        except Malformed as error:
            raise InvalidRequest(f"The body cannot be read: {error}.", code="malformed_body") from None
        return await push(self._parts, sender.source, decoded)

    async def _admit(self, request: Request, request_id: str, operation: Operation = OPERATION) -> Sender:
        """Raises OperationError. A stranger's body is not even read."""
        request.state.operation = operation.name
        actor, source_id = None, _source_id(request)
        try:
            credential = credential_of(request.headers)
            if credential.startswith(PUSH_KEY_PREFIX):
                with self._authenticator.lockouts.guarding(address_of(request), credential):
                    key, source = await self._admissions.admit(credential, source_id)
                account = f"push key {key.id}"
                _refuse_parameters(request, operation)
            else:
                principal = await self._authenticator.authenticate(credential, visitor_of(request))
                _refuse_parameters(request, operation)
                actor = account = principal.user_id
                await self._parts.access.require(
                    principal, Permission.SIGNED_IN, operation=operation.name, changes=True
                )
                context = Context(principal, self._parts, request_id, self._now)
                source = await require_source(context, source_id, Permission.WRITE)
        except (NotAuthenticated, Forbidden) as refusal:
            self._parts.audit.refused(
                actor=actor,
                action=operation.name,
                target=str(source_id),
                code=refusal.noted,
                request_id=request_id,
                address=address_of(request),
                account=refusal.account,
            )
            raise
        await self._count(request, account)
        return Sender(account, source)

    async def _count(self, request: Request, account: str) -> None:
        """Raises TooManyRequests."""
        request.state.user = account
        if self._requests is None:
            return
        try:
            request.state.allowance = await self._requests.take(account)
        except TooManyRequests as refusal:
            request.state.allowance = refusal.allowance
            raise

    def _answered(self, request: Request, response: Response) -> Response:
        response.headers.update({REQUEST_ID_HEADER: request_id_of(request), "Cache-Control": "no-store"})
        response.headers.update(allowance_headers(request))
        return response

    def _failed(
        self, request: Request, error: Exception, refuse: Callable[[OperationError, str], Response]
    ) -> Response:
        request_id = request_id_of(request)
        match error:
            case OperationError():
                return self._answered(request, refuse(error, request_id))
            case StorageUnavailable():
                unavailable = Unavailable("The database cannot be used at this moment; try again.")
                return self._answered(request, refuse(unavailable, request_id))
            case ClientDisconnect():
                return Response(status_code=499)  # nobody reads it
            case _:
                return fault_response(error, request_id)


def _source_id(request: Request) -> int:
    try:
        return msgspec.convert(request.path_params["data_source_id"], RowId, strict=False)
    except msgspec.ValidationError as error:
        message = f"data_source_id: {error}."
        raise InvalidRequest(message, details={"parameter": "data_source_id"}) from None


def _refuse_parameters(request: Request, operation: Operation) -> None:
    """What somebody meant by a parameter would not be done."""
    if unknown := sorted(set(request.query_params)):
        raise InvalidRequest(
            f"{operation.name} has no parameter {unknown[0]!r} in its address.",
            details={"unknown": unknown, "known": []},
        )


def credential_of(headers: Mapping[str, str]) -> str:
    """What an `Authorization` header (names in lower case) holds: a bearer token, or the password of Basic.

    Raises NotAuthenticated.
    """
    if "authorization" not in headers:
        raise NotAuthenticated("Sign in first: send a push key or a bearer token.")
    scheme, _, credential = headers["authorization"].partition(" ")
    credential = credential.strip()
    if scheme.lower() == "basic":
        try:
            credential = base64.b64decode(credential, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            credential = ""
    if scheme.lower() not in ("bearer", "basic") or not credential:
        raise NotAuthenticated(
            "Send a push key as 'Authorization: Bearer KEY', or as the password of Basic.", code="invalid_token"
        )
    return credential
