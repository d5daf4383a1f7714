"""The Studio's own frames on ``/ws``: requests and results, and watches, beside the documents.

They ride under an address that no document can have, with types that stock clients ignore; their bodies are one
MessagePack map each. PROTOCOL.md has the table.
"""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from crdt.lib0 import MalformedError, read_varuint, write_var_string, write_varuint
from handlers.dispatch import execute
from handlers.registry import Context, InvalidRequest, NotFound, Operation, OperationError, Principal, RateLimited
from server.socket_observation import NOWHERE, Outcome
from server.watch_frames import FROM_CLIENTS, WatchFrames

if TYPE_CHECKING:
    from server.gateway import Gateway
    from server.hocuspocus import HocuspocusDialect
    from server.transport import Transport

STUDIO_PREFIX = write_var_string("@studio")
HELLO, WELCOME, REQUEST, RESULT, ERROR, GOING_AWAY = 64, 65, 66, 67, 68, 69
MAX_IN_FLIGHT = 64
# Of these so many are worked on; so many answers may wait at once for a connection that does not read them.
MAX_AT_ONCE = 16

_encoder = msgspec.msgpack.Encoder()


class Request(msgspec.Struct):
    id: int | str
    operation: str
    parameters: dict[str, Any] = {}


class Hello(msgspec.Struct):
    token: str


_requests = msgspec.msgpack.Decoder(Request)
_hellos = msgspec.msgpack.Decoder(Hello)


class StudioChannel:
    """The operations of one connection. Requests run side by side; answers carry their ids."""

    __slots__ = ("_dialect", "_gateway", "_in_flight", "_open", "_socket", "_stoppable", "_turns", "_watches")

    def __init__(self, gateway: "Gateway", socket: "Transport", dialect: "HocuspocusDialect") -> None:
        self._gateway = gateway
        self._socket = socket
        self._dialect = dialect
        self._watches = WatchFrames(gateway, socket, dialect, self._send)
        self._in_flight = 0
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._open = True
        # Whose answers nobody is left to take once this is closed; few, and on most connections none.
        self._stoppable: tuple[asyncio.Task[None], ...] = ()

    def receive(self, message: bytes) -> None:
        """A frame's bytes after the address."""
        try:
            kind, at = read_varuint(message, 0)
            if kind == REQUEST:
                self._start(_requests.decode(message[at:]))
            elif kind == HELLO:
                # What comes after it waits for it.
                self._dialect.signing_in = self._gateway.spawn(self._sign_in(_hellos.decode(message[at:]).token))
            elif kind in FROM_CLIENTS:
                self._watches.receive(kind, message[at:])
            else:
                allowed = ", ".join(map(str, (HELLO, REQUEST, *FROM_CLIENTS)))
                self._fail(None, InvalidRequest(f"clients send frames of type {allowed}, not {kind}"))
        except OperationError as error:
            self._fail(None, error)
        except (MalformedError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._fail(None, InvalidRequest(f"not a frame of this protocol: {error}"))

    def _start(self, request: Request) -> None:
        if self._in_flight >= MAX_IN_FLIGHT:
            limit = RateLimited(f"{MAX_IN_FLIGHT} requests are under way on this connection; wait for one")
            self._fail(request.id, limit)
            return
        self._in_flight += 1
        task = self._gateway.spawn(self._run(request))
        operation = self._gateway.operations.get(request.operation)
        if operation is not None and operation.stops_with_caller:
            self._stoppable = (*self._stoppable, task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._stoppable = tuple(other for other in self._stoppable if other is not task)

    async def _run(self, request: Request) -> None:
        async with self._turns:
            if self._socket.is_congested:
                # The answer would only wait behind those that are not read.
                await self._socket.drained()
            if self._open:
                await self._observe(request)

    async def _observe(self, request: Request) -> None:
        request_id = uuid.uuid4().hex
        name = request.operation if request.operation in self._gateway.operations else NOWHERE
        with self._gateway.observation.request(name, request_id) as outcome:
            await self._answer(request, request_id, outcome)

    async def _answer(self, request: Request, request_id: str, outcome: Outcome) -> None:
        try:
            operation = self._operation(request.operation)
            await self._dialect.known()
            if (principal := self._dialect.principal) is not None:
                await self._gateway.requests.take(principal.user_id)
            context = Context(principal, self._gateway.parts, request_id, lambda: datetime.now(UTC))
            value = await execute(operation, context, request.parameters)
            outcome.status = operation.status
            self._send(RESULT, {"id": request.id, "value": value})
        except OperationError as error:
            outcome.status = error.status
            self._fail(request.id, error, request_id)
        except Exception:
            self._fail(request.id, OperationError("The server failed; the request id is in its log."), request_id)
            raise
        finally:
            self._in_flight -= 1

    def _operation(self, name: str) -> Operation:
        operation = self._gateway.operations.get(name)
        if operation is None:
            raise NotFound(f"There is no operation {name!r}.", code="unknown_operation")
        return operation

    async def _sign_in(self, token: str) -> None:
        try:
            principal = await self._gateway.authenticate(token, self._socket.visitor)
            self._dialect.signed_in(principal)
        except OperationError as error:
            self._fail(None, error)
        else:
            self._send(WELCOME, {"user": principal.user_id, "server": "collab-studio"})

    def _fail(self, request: int | str | None, error: OperationError, request_id: str | None = None) -> None:
        self._send(
            ERROR,
            {
                "id": request,
                "code": error.code,
                "message": error.message,
                "details": error.details,
                "request_id": request_id,
            },
        )

    def _send(self, kind: int, body: object) -> None:
        if self._open:
            self._socket.send(STUDIO_PREFIX + write_varuint(kind) + _encoder.encode(body))

    def going_away(self, reason: str, after_ms: int) -> None:
        self._send(GOING_AWAY, {"reason": reason, "after_ms": after_ms})

    def renewed(self, principal: Principal) -> None:
        """The connection's credential has taken the place of an earlier one."""
        self._watches.renewed(principal)

    def resume(self) -> None:
        """The socket takes what it is sent again."""
        self._watches.resume()

    def closed(self) -> None:
        self._open = False
        for task in self._stoppable:
            task.cancel()
        self._watches.closed()
