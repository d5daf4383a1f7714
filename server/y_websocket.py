"""The y-websocket dialect: one document a connection, at ``/yjs/{workspace}/{document}``."""

import asyncio
from typing import TYPE_CHECKING

from crdt import sync
from crdt.lib0 import read_var_string, read_varuint, write_var_bytes, write_var_string, write_varuint
from crdt.room import merged
from server.admission import UNAUTHORISED
from server.attachment import MAX_HELD_BYTES, MAX_HELD_MESSAGES, NOTHING_NEW, Attachment
from server.framing import PLAIN

if TYPE_CHECKING:
    from server.admission import Admitted, Denied
    from server.gateway import Gateway
    from server.transport import Transport


# Sub-types of the authentication message beside 0, refused: stock clients ignore them.
TOKEN = write_varuint(sync.AUTH) + b"\x01"
SCOPE = write_varuint(sync.AUTH) + b"\x02"
NEWS = write_varuint(sync.AUTH) + b"\x03"


class YWebSocketAttachment(Attachment):
    """Acknowledges by sending a member its own update back once it is stored: newer clients show that as saved."""

    __slots__ = ("socket",)
    echo_means_stored = True
    socket: "Transport"

    def stored(self, updates: list[bytes]) -> None:
        for update in merged(updates):
            if update != sync.EMPTY_UPDATE:
                self.send(sync.update_message(update))

    def tell(self, news: bytes) -> None:
        self.send(NEWS + write_var_bytes(news))

    def refuse(self, reason: str) -> None:
        if not self.room.has(self):
            return
        self.send(permission_denied(reason))
        self.leave()
        pause = self.gateway.pause_before_close(self.user, self.room.row_id)
        if pause:
            asyncio.get_running_loop().call_later(pause, self.socket.close, 4400, reason)
        else:
            self.socket.close(4400, reason)

    def receive(self, message: bytes, at: int) -> None:
        """Nothing more is taken from a member that was refused and waits for its connection to close."""
        if self.room.has(self):
            super().receive(message, at)

    def refuse_write(self) -> None:
        self.send(permission_denied("you may read this document, not change it"))

    def say_scope(self) -> None:
        self.send(SCOPE + write_var_string("read-write" if self.can_write else "readonly"))

    def ask_for_token(self) -> None:
        self.send(TOKEN)

    def unauthorised(self, reason: str) -> None:
        """Another credential may hold: so says the code, and there is no pause before it."""
        if self.room.has(self):
            self.send(permission_denied(reason))
            self.leave()
            self.socket.close(UNAUTHORISED, reason)

    def receive_other(self, kind: int, message: bytes, at: int) -> None:
        """A new token, in a message that is ours: the client's own library knows only that it may be refused."""
        if kind != sync.AUTH:
            return
        subtype, at = read_varuint(message, at)
        if subtype == TOKEN[1]:
            token, _ = read_var_string(message, at)
            self.gateway.spawn(self.gateway.refresh(self, token))


def permission_denied(reason: str) -> bytes:
    """Authentication message, sub-type 0: the client logs the reason and stays."""
    return write_varuint(sync.AUTH) + b"\x00" + write_var_string(reason)


class YWebSocketDialect:
    """A connection of this dialect: waiting for admission, then attached to its one document."""

    __slots__ = ("_attachment", "_gateway", "_held", "_held_bytes", "_socket", "opened_at")

    def __init__(self, gateway: "Gateway", socket: "Transport") -> None:
        self._gateway = gateway
        self._socket = socket
        self._attachment: YWebSocketAttachment | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.opened_at = gateway.time()

    def admitted(self, admitted: "Admitted") -> None:
        attachment = YWebSocketAttachment(self._gateway, self._socket, PLAIN, *admitted)
        attachment.socket = self._socket
        self._attachment = attachment
        self._gateway.attached(attachment)
        attachment.send(sync.step_1(attachment.room.state_vector()))
        attachment.greet()
        held, self._held = self._held, []
        for message in held:
            attachment.receive(message, 0)

    def denied(self, denied: "Denied") -> None:
        self._socket.send(permission_denied(denied.reason))
        self._socket.close(denied.close_code, denied.reason)

    @property
    def is_known(self) -> bool:
        return self._attachment is not None

    def receive(self, message: bytes) -> None:
        if self._attachment is not None:
            self._attachment.receive(message, 0)
            return
        self._held.append(message)
        self._held_bytes += len(message)
        if self._held_bytes > MAX_HELD_BYTES or len(self._held) > MAX_HELD_MESSAGES:
            self._socket.close(1009, "too much was sent before the document was open")

    def mute(self) -> None:
        if self._attachment is not None:
            self._attachment.mute()

    def pause(self) -> None:
        if self._attachment is not None:
            self._attachment.pause()

    def resume(self) -> None:
        if self._attachment is not None:
            self._attachment.resume()

    def keep_alive(self, now: float) -> None:  # noqa: ARG002 - the dialects' interface
        if self._attachment is not None:
            self._attachment.send(NOTHING_NEW)

    def going_away(self, reason: str) -> None:
        """This dialect has no word for it: the close code says it."""

    def closed(self) -> None:
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.leave()
            self._gateway.detached(attachment)
