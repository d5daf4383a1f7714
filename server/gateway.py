"""Where connections meet the parts: routing by path, admission, changes of standing, and the periodic look at each."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.server import ServerState

from handlers.access import Change, allows
from handlers.large_states import LargeStates
from handlers.live_answers import LiveAnswers
from handlers.parts import Parts, Workers
from handlers.registry import Operation, OperationError, Permission, Principal
from handlers.scopes import EDIT
from server.admission import Admission, Admitted, Denied, Newcomer, close_code
from server.attachment import Attachment
from server.auth import Authenticator
from server.connection_counts import ConnectionCounts
from server.drain import REQUESTS, Departure, part_connections
from server.front_door import FrontDoor
from server.handshake import Refusal, Upgrade
from server.hocuspocus import HocuspocusDialect
from server.limits import ArrivalLimit, ConnectionLimit, TokenBucket
from server.lockouts import LockedOut
from server.origin import OriginPolicy
from server.read_pacing import ReadPacing
from server.renewals import Renewals
from server.request_limit import RequestLimit
from server.settings import Settings
from server.socket_observation import SocketObservation
from server.strangers import Strangers
from server.transport import Dialect, Transport
from server.visitors import NOBODY, Forwarding, Visitor
from server.websocket import WebSocketProtocol
from server.y_websocket import YWebSocketDialect
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.open_telemetry import Tracing

logger = logging.getLogger(__name__)

REFUSALS_FORGOTTEN_SECONDS = 60.0
MAX_REFUSALS = 10_000
LONGEST_PAUSE_SECONDS = 20.0


class Gateway:
    """All WebSocket connections of this node."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        authenticator: Authenticator,
        operations: Sequence[Operation],
        tracing: "Tracing | None" = None,
        requests: RequestLimit | None = None,
    ) -> None:
        self.parts = parts
        self.rooms = parts.rooms
        self.operations = {operation.name: operation for operation in operations}
        self.answers = LiveAnswers(self.operations, parts, lambda: datetime.now(UTC))
        self.max_frame_bytes = settings.max_frame_bytes
        self.max_send_buffer_bytes = settings.max_send_buffer_bytes
        self.max_document_bytes = settings.max_document_bytes
        self.time = time.monotonic
        self.reads = ReadPacing(settings.read_interval_ms / 1000)
        self._settings = settings
        self._admission = Admission(parts, authenticator)
        self._origins = OriginPolicy(settings)
        self._forwarding = Forwarding(settings.trusted_proxies)
        self._connections = ConnectionLimit(settings.max_connections_per_user)
        self.requests = requests or RequestLimit(settings.request_rate, settings.request_burst)
        # A process of their own, which starts with the first large document.
        self.large_states = LargeStates(Workers())
        self.arrivals = ArrivalLimit(settings.accept_rate, settings.accept_burst, self.time())
        self._attachments: dict[str, set[Attachment]] = {}
        # Connections are looked at in turn: an equal share each second.
        self._shares: list[set[Transport]] = [set() for _ in range(max(1, int(settings.keepalive_interval)))]
        self._opened = 0
        self.strangers = Strangers(settings.authentication_deadline)
        self._refusals: dict[tuple[str, int], tuple[float, int]] = {}
        self._renewals = Renewals()
        self._tasks: set[asyncio.Task[None]] = set()
        self.departure = Departure(settings.shutdown_timeout)
        # Connections that were told to come back because this node leaves.
        self.drained = 0
        self.counts = ConnectionCounts()
        self.observation = SocketObservation(tracing)
        parts.access.on_change(self._standing_changed)

    @property
    def draining(self) -> bool:
        """Whether this node leaves: it is not ready, and takes no new connections."""
        return self.departure.begun.is_set()

    # Connections

    def front_door(self, **arguments: Any) -> FrontDoor:
        """What uvicorn calls for each connection."""
        return FrontDoor(self.websocket, self._settings.authentication_deadline, **arguments)

    def websocket(self, server_state: ServerState, **_: object) -> WebSocketProtocol:
        """A connection that is to become a WebSocket; uvicorn calls it for upgrade requests that came another way."""
        return WebSocketProtocol(self, server_state)

    def refuse(self, upgrade: Upgrade) -> Refusal | None:
        """Why this handshake is not accepted, if it is not. Counts it as one that is, otherwise."""
        if self.draining:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping; connect again", 1)
        if upgrade.path != "/ws" and not upgrade.path.startswith("/yjs/"):
            return Refusal(HTTPStatus.NOT_FOUND, "WebSockets are at /ws and at /yjs/{workspace}/{document}")
        if not self._origins.allows(upgrade.headers.get("origin"), upgrade.headers.get("host")):
            origin = upgrade.headers.get("origin", "")[:200]
            return Refusal(HTTPStatus.FORBIDDEN, f"pages of {origin} may not connect; see the setting allowed_origins")
        if (seconds := self.arrivals.admit(self.time())) is not None:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connect at this moment; come back later", seconds)
        return None

    def connect(self, socket: Transport, upgrade: Upgrade) -> Dialect:
        """The dialect of a connection whose handshake was just accepted."""
        self._opened += 1
        socket.share = self._shares[self._opened % len(self._shares)]
        socket.share.add(socket)
        socket.visitor = self._forwarding.visitor_of(upgrade)
        dialect = self._greet(socket, upgrade)
        if not dialect.is_known:
            self.strangers.add(socket, dialect, self.time())
        return dialect

    def _greet(self, socket: Transport, upgrade: Upgrade) -> Dialect:
        if upgrade.path == "/ws":
            dialect = HocuspocusDialect(self, socket)
            if (credential := upgrade.credential) is not None:
                dialect.signing_in = self.spawn(self._sign_in(dialect, socket, credential))
            return dialect
        plain = YWebSocketDialect(self, socket)
        name = "/".join(upgrade.segments[1:])
        self.admit(socket, upgrade.credential, None, name, plain.admitted, plain.denied)
        return plain

    def new_bucket(self) -> TokenBucket:
        return TokenBucket(self._settings.message_rate, self._settings.message_burst, self.time())

    async def _sign_in(self, dialect: HocuspocusDialect, socket: Transport, credential: str) -> None:
        """A credential that came with the handshake speaks for the whole connection."""
        try:
            dialect.signed_in(await self.authenticate(credential, socket.visitor))
        except OperationError as error:
            socket.close(close_code(error), error.message)

    # Admission

    def admit(
        self,
        socket: Transport,
        credential: str | None,
        known: Principal | None,
        name: str,
        admitted: Callable[[Admitted], None],
        denied: Callable[[Denied], None],
    ) -> None:
        """Ask for a place in a document's room; one of the two is called, perhaps before this returns."""

        def count_and_admit(answer: Admitted) -> None:
            if socket.closing:
                return
            try:
                socket.count_for(answer.principal.user_id, self._connections)
            except OperationError as error:
                denied(Denied(error.message, 4429))
            else:
                admitted(answer)

        newcomer = Newcomer(credential, known, name, socket.visitor, lambda: not socket.closing)
        answer = self._admission.at_once(newcomer)
        if answer is not None:
            count_and_admit(answer)
        else:
            self.spawn(self._admission.decide(newcomer, count_and_admit, denied))

    async def authenticate(self, credential: str, visitor: Visitor = NOBODY) -> Principal:
        """Raises NotAuthenticated, LockedOut."""
        return await self._admission.authenticate(credential, None, visitor)

    async def refresh(self, attachment: Attachment, token: str, known: Principal | None = None) -> None:
        """A new token on an open document: it must be the same user's, or the document is closed.

        An empty one stands for the connection's own credential, as `known`.
        """
        try:
            visitor = attachment.connection.visitor
            principal = await self._admission.authenticate(token or None, known, visitor)
            await self.parts.access.require(principal, Permission.READ, attachment.workspace_id, operation=EDIT)
        except (StorageError, LockedOut) as error:
            # The old one holds on, and there is time to ask once more.
            logger.warning("a new token of %s could not be looked at: %s", attachment.user, error)
            self._renewals.begin(attachment, datetime.now(UTC))
        except OperationError as error:
            attachment.unauthorised(error.message)
        else:
            if principal.user_id == attachment.user:
                self.renewed(attachment, principal)
                attachment.say_scope()
            else:
                attachment.unauthorised("the new token is another user's")

    def renewed(self, attachment: Attachment, principal: Principal) -> None:
        """The document is open by this credential from now on."""
        before, attachment.principal = attachment.principal, principal
        self._renewals.renew(attachment, before.expires_at, datetime.now(UTC))

    # Standing

    def attached(self, attachment: Attachment) -> None:
        self._attachments.setdefault(attachment.user, set()).add(attachment)
        self._renewals.begin(attachment, datetime.now(UTC))
        principal = attachment.principal
        self.parts.audit.signed_in(user_id=principal.user_id, via=principal.via, request_id="")

    @property
    def member_count(self) -> int:
        """Places in documents that connections have."""
        return sum(map(len, self._attachments.values()))

    def detached(self, attachment: Attachment) -> None:
        self._renewals.end(attachment)
        mine = self._attachments.get(attachment.user)
        if mine is not None:
            mine.discard(attachment)
            if not mine:
                del self._attachments[attachment.user]

    def _standing_changed(self, change: Change) -> None:
        users = [change.user_id] if change.user_id is not None else list(self._attachments)
        for user in users:
            for attachment in list(self._attachments.get(user, ())):
                if not change.concerns(user, attachment.workspace_id):
                    continue
                if attachment.principal.via == "api_key" and change.workspace_id is None:
                    # Perhaps it was this key: it has to be shown again.
                    attachment.refuse("the key has to be shown again; connect again")
                    continue
                # From here on nothing more is taken until it is known what the member may still do.
                attachment.hold()
                self.spawn(self._reconsider(attachment))

    async def _reconsider(self, attachment: Attachment) -> None:
        try:
            await self._adjust(attachment)
        except StorageError as error:
            # Nothing is taken on trust: it was known well enough that something changed.
            logger.warning("what %s may do could not be looked up: %s", attachment.user, error)
            attachment.refuse("what you may do here cannot be looked up at this moment; connect again")
        finally:
            attachment.release()

    async def _adjust(self, attachment: Attachment) -> None:
        """What a member may do has changed: adjust it in place, or part it."""
        try:
            await self.parts.access.require(
                attachment.principal, Permission.READ, attachment.workspace_id, operation=EDIT
            )
        except OperationError as error:
            attachment.refuse(error.message)
            return
        role = await self.parts.access.role_for(attachment.principal, attachment.workspace_id)
        if role is None or not allows(role, Permission.READ):
            attachment.refuse("you are no longer a member of this workspace")
        elif role != attachment.role:
            attachment.set_role(role)
            attachment.say_scope()

    # The periodic look

    async def run(self) -> None:
        """Look at an equal share of the connections each second, until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(self._settings.keepalive_interval / len(self._shares))
            turn = (turn + 1) % len(self._shares)
            now = self.time()
            for socket in list(self._shares[turn]):
                socket.check(now, self._settings.slow_reader_timeout)
            self.strangers.part(now)
            self._renewals.look(datetime.now(UTC))

    def pause_before_close(self, user: str, row_id: int) -> float:
        """Seconds to wait before closing a connection for what its client will send again.

        Stock clients come back at once, however often: each time within a minute they wait twice as long.
        """
        now = self.time()
        since, times = self._refusals.get((user, row_id), (0.0, 0))
        times = times + 1 if now - since < REFUSALS_FORGOTTEN_SECONDS else 0
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.clear()
        self._refusals[user, row_id] = (now, times)
        return 0.0 if not times else min(2.0**times, LONGEST_PAUSE_SECONDS)

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something that needs waiting for; failures are logged, and closing waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a connection's task failed", exc_info=error)

    async def idle(self) -> None:
        """Returns when everything spawned so far has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def drain(self) -> None:
        """Be ready no more, and part everybody over a while, so that they do not all come back at once."""
        self.departure.begin()
        sockets = [socket for share in self._shares for socket in share]
        logger.info("parting %d connections", len(sockets))
        began_at = self.time()
        parted = await part_connections(
            sockets, self._settings.drain_seconds, has_others=self._settings.redis_url is not None
        )
        self.drained += parted
        if parted:
            logger.info("parted %d of them within %.1f s", parted, self.time() - began_at)

    async def close(self) -> None:
        """Say going away to everybody who is still there, and wait for what is under way."""
        self.departure.begin()
        for share in self._shares:
            for socket in list(share):
                socket.shutdown()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.departure.left(REQUESTS))
        await self.requests.close()
        await self.large_states.close()
