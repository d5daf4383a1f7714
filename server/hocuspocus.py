"""The Hocuspocus dialect at ``/ws``: many documents on one connection, and the Studio's own frames beside them.

Every frame is ``varString address, varUint type, body``. A document is first pending (its messages wait for the answer
to its Auth message), then attached; both are separate types, and an address that was refused has neither.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crdt import sync
from crdt.lib0 import MalformedError, read_var_bytes, read_var_string, read_varuint, write_var_bytes, write_var_string
from handlers.registry import NotAuthenticated
from server.admission import LOCKED, TRY_AGAIN
from server.attachment import MAX_HELD_BYTES, MAX_HELD_MESSAGES, NOTHING_NEW, Attachment
from server.framing import BINARY, Framing, header
from server.studio_frames import STUDIO_PREFIX, StudioChannel

if TYPE_CHECKING:
    from handlers.registry import Principal
    from server.admission import Admitted, Denied
    from server.gateway import Gateway
    from server.transport import Transport

STATELESS, BROADCAST_STATELESS, CLOSE, SYNC_STATUS, PING, PONG = 5, 6, 7, 8, 9, 10
STORED, REFUSED = b"\x08\x01", b"\x08\x00"
SEND_TOKEN_AGAIN = b"\x02\x00"
STATELESS_MESSAGE = b"\x05"
PING_MESSAGE = b"\x09"

MAX_PENDING = 100
MAX_ATTACHED = 1_000
PENDING_SECONDS = 20.0
MAX_ADDRESS_BYTES = 512
# Clients choose a pause up to this, so that a restarted server does not meet all of them at once.
COME_BACK_WITHIN_MS = 3_000


@dataclass(slots=True, eq=False)
class Pending:
    """A document that is not open yet: what it sent before waits here, and the token once it came."""

    key: bytes
    since: float
    messages: list[bytes] = field(default_factory=list)
    bytes_held: int = 0
    authenticating: bool = False


class HocuspocusAttachment(Attachment):
    """Acknowledges each update with one SyncStatus, after it is stored."""

    __slots__ = ("dialect", "status_stored")
    dialect: "HocuspocusDialect"
    status_stored: bytes

    def stored(self, updates: list[bytes]) -> None:
        self.write(self.status_stored * len(updates))

    def tell(self, news: bytes) -> None:
        self.send(STATELESS_MESSAGE + write_var_bytes(news))

    def refuse(self, reason: str) -> None:
        self.dialect.part(self, reason)

    def refuse_write(self) -> None:
        self.send(REFUSED)

    def say_scope(self) -> None:
        self.send(b"\x02\x02" + write_var_string("read-write" if self.can_write else "readonly"))

    def ask_for_token(self) -> None:
        self.send(SEND_TOKEN_AGAIN)

    def step_2_sent(self) -> None:
        """Not before: the answer to this one's answer would tell a client that it has everything."""
        self.send(sync.step_1(self.room.state_vector()))

    def receive_other(self, kind: int, message: bytes, at: int) -> None:
        if kind == sync.AUTH:
            self._refresh(message, at)
        elif kind == STATELESS:
            self.refuse("stateless messages are not part of this server; call an operation instead")
        elif kind == BROADCAST_STATELESS:
            self.refuse("only servers broadcast")
        elif kind == CLOSE:
            self.dialect.detach(self)

    def _refresh(self, message: bytes, at: int) -> None:
        _, at = read_varuint(message, at)
        token, _ = read_var_string(message, at)
        self.gateway.spawn(self._renew(token))

    async def _renew(self, token: str) -> None:
        await self.gateway.refresh(self, token, self.dialect.principal)
        if self.room.has(self):
            self.dialect.document_renewed(self.principal)


class HocuspocusDialect:
    """A connection of this dialect."""

    __slots__ = (
        "_attachments",
        "_gateway",
        "_pending",
        "_principal",
        "_socket",
        "_speaks_ping",
        "signing_in",
        "studio",
    )

    def __init__(self, gateway: "Gateway", socket: "Transport") -> None:
        self._gateway = gateway
        self._socket = socket
        self._attachments: dict[bytes, HocuspocusAttachment] = {}
        self._pending: dict[bytes, Pending] = {}
        self._speaks_ping = False
        # Who the connection's own credential speaks for; documents may each bring another.
        self._principal: Principal | None = None
        self.signing_in: asyncio.Task[None] | None = None
        self.studio: StudioChannel | None = None

    @property
    def is_known(self) -> bool:
        return self._principal is not None or bool(self._attachments)

    @property
    def principal(self) -> "Principal | None":
        """Who the connection's own credential speaks for, as long as it holds."""
        return None if self._has_ended() else self._principal

    def signed_in(self, principal: "Principal") -> None:
        """The connection's own credential, or a new one in its place. Raises NotAuthenticated if it is another user's.

        Documents that were opened with it stay open as long as the new one holds.
        """
        before = self._principal
        if before is not None and before.user_id != principal.user_id:
            raise NotAuthenticated(
                f"This connection speaks for {before.user_id!r}; open another for {principal.user_id!r}.",
                code="another_user",
            )
        self._principal = principal
        for attachment in self._attachments.values():
            if attachment.principal is before:
                self._gateway.renewed(attachment, principal)
        if self.studio is not None:
            self.studio.renewed(principal)

    def document_renewed(self, principal: "Principal") -> None:
        """A document's new token stands for the connection as well, if it is the same user's and holds longer."""
        own = self._principal
        if own is None or own.expires_at is None or own.user_id != principal.user_id:
            return
        if principal.expires_at is None or principal.expires_at > own.expires_at:
            self.signed_in(principal)

    async def known(self) -> None:
        """Returns when it is clear who the connection's own credential speaks for, if it has one.

        Raises NotAuthenticated if it had one that has ended.
        """
        if self.signing_in is not None:
            await asyncio.wait([self.signing_in])
        if self._has_ended():
            raise NotAuthenticated(
                "The credential of this connection has expired; send hello with a new one.", code="token_expired"
            )

    def _has_ended(self) -> bool:
        ends = self._principal.expires_at if self._principal is not None else None
        return ends is not None and ends <= datetime.now(UTC)

    # Messages

    def receive(self, message: bytes) -> None:
        """Find the address's document; the shortest way is for one that is attached and short of name."""
        if len(message) < 2:
            if message != b"\x0a":
                self._malformed("an empty frame")
            return
        length = message[0]
        if length < 0x80:
            at = length + 1
        else:
            try:
                length, start = read_varuint(message, 0)
            except MalformedError as error:
                self._malformed(str(error))
                return
            at = start + length
        key = message[:at]
        attachment = self._attachments.get(key)
        if attachment is not None:
            attachment.receive(message, at)
        else:
            self._receive_unattached(key, message, at)

    def _receive_unattached(self, key: bytes, message: bytes, at: int) -> None:
        if key == STUDIO_PREFIX:
            self._studio().receive(message[at:])
            return
        if at >= len(message) or at > MAX_ADDRESS_BYTES:
            self._malformed("a frame starts with a document's address of at most 512 bytes")
            return
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) >= MAX_PENDING or len(self._attachments) >= MAX_ATTACHED:
                self._deny(key, "too many documents on one connection")
                return
            pending = self._pending[key] = Pending(key, self._gateway.time())
        try:
            self._receive_pending(pending, message, at)
        except MalformedError as error:
            del self._pending[key]
            self._deny(key, f"malformed message: {error}")

    def _receive_pending(self, pending: Pending, message: bytes, at: int) -> None:
        kind, after = read_varuint(message, at)
        if kind == sync.AUTH and not pending.authenticating:
            subtype, after = read_varuint(message, after)
            token, after = read_var_string(message, after)
            if subtype != 0:
                raise MalformedError("a client's authentication message is of sub-type 0 and holds a token")
            self._note_version(message, after)
            pending.authenticating = True
            self._authenticate(pending, token)
        elif kind == CLOSE:
            del self._pending[pending.key]
        else:
            pending.messages.append(message[at:])
            pending.bytes_held += len(message)
            if self._holds_too_much():
                self._socket.close(1009, "too much was sent before the documents were open")

    def _holds_too_much(self) -> bool:
        waiting = self._pending.values()
        return (
            sum(pending.bytes_held for pending in waiting) > MAX_HELD_BYTES
            or sum(len(pending.messages) for pending in waiting) > MAX_HELD_MESSAGES
        )

    def _note_version(self, message: bytes, at: int) -> None:
        """Providers of version 4 and later say so, and answer pings."""
        if at < len(message):
            version, _ = read_var_string(message, at)
            major = version.partition(".")[0]
            self._speaks_ping = self._speaks_ping or (major.isdigit() and int(major) >= 4)

    def _authenticate(self, pending: Pending, token: str) -> None:
        raw, _ = read_var_bytes(pending.key, 0)
        try:
            name = raw.decode().partition("\0")[0]
        except UnicodeDecodeError:
            raise MalformedError("an address is UTF-8") from None
        credential = token or None
        self._gateway.admit(
            self._socket,
            credential,
            self.principal,
            name,
            lambda admitted: self._admitted(pending, admitted),
            lambda denied: self._denied(pending, denied),
        )

    # Admission

    def _admitted(self, pending: Pending, admitted: "Admitted") -> None:
        if self._pending.get(pending.key) is not pending:
            return
        del self._pending[pending.key]
        framing = Framing(pending.key)
        attachment = HocuspocusAttachment(self._gateway, self._socket, framing, *admitted)
        attachment.dialect = self
        attachment.status_stored = framing.wrap(STORED)
        self._attachments[pending.key] = attachment
        self._gateway.attached(attachment)
        attachment.say_scope()
        attachment.greet()
        for message in pending.messages:
            attachment.receive(message, 0)

    def _denied(self, pending: Pending, denied: "Denied") -> None:
        if self._pending.get(pending.key) is pending:
            del self._pending[pending.key]
            if denied.close_code in (TRY_AGAIN, LOCKED):
                # Stock clients take a refusal for the last word, and a closed connection for a reason to come back.
                self._socket.close(denied.close_code, denied.reason)
            else:
                self._deny(pending.key, denied.reason)

    def _deny(self, key: bytes, reason: str) -> None:
        self._socket.send(key + b"\x02\x01" + write_var_string(reason))

    def _malformed(self, reason: str) -> None:
        self._socket.close(4400, f"malformed frame: {reason}"[:120])

    # Parting

    def part(self, attachment: HocuspocusAttachment, reason: str) -> None:
        """End one document with a reason; the connection stays."""
        if self._drop(attachment):
            attachment.send(b"\x07" + write_var_string(reason))

    def detach(self, attachment: HocuspocusAttachment) -> None:
        """The client left one document."""
        if self._drop(attachment):
            attachment.send(b"\x07" + write_var_string("closed by the client"))

    def _drop(self, attachment: HocuspocusAttachment) -> bool:
        if self._attachments.pop(attachment.framing.prefix, None) is None:
            return False
        attachment.leave()
        self._gateway.detached(attachment)
        return True

    def closed(self) -> None:
        for attachment in list(self._attachments.values()):
            self._drop(attachment)
        self._pending.clear()
        if self.studio is not None:
            self.studio.closed()

    # The connection's pace

    def mute(self) -> None:
        for attachment in self._attachments.values():
            attachment.mute()

    def pause(self) -> None:
        for attachment in self._attachments.values():
            attachment.pause()

    def resume(self) -> None:
        for attachment in self._attachments.values():
            attachment.resume()
        if self.studio is not None:
            self.studio.resume()

    def keep_alive(self, now: float) -> None:
        """Providers drop a connection on which nothing came for 30 s."""
        if self._speaks_ping:
            self._socket.write(header(BINARY, 1) + PING_MESSAGE)
        else:
            for attachment in self._attachments.values():
                attachment.send(NOTHING_NEW)
                break
        for key, pending in list(self._pending.items()):
            if not pending.authenticating and now - pending.since > PENDING_SECONDS:
                del self._pending[key]
                self._deny(key, "no authentication message came in time")

    def going_away(self, reason: str) -> None:
        if self.studio is not None:
            self.studio.going_away(reason, COME_BACK_WITHIN_MS)

    def _studio(self) -> StudioChannel:
        if self.studio is None:
            self.studio = StudioChannel(self._gateway, self._socket, self)
        return self.studio
