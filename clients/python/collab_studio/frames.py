"""Frames of documents, in the dialect of the Hocuspocus provider: `varString address, varUint type, body`.

The address is the document's name, or the name, U+0000 and a session where one socket carries a name more than once.
Two frames have no address: the single bytes PING and PONG.
"""

from dataclasses import dataclass

from collab_studio.errors import MalformedFrame
from collab_studio.lib0 import Reader, write_bytes, write_string, write_uint

# Sent with the token. Servers ping only clients that say version 4 or later.
PROVIDER_VERSION = "4.8.0"

PING = b"\x09"
PONG = b"\x0a"

SYNC, AWARENESS, AUTH, QUERY_AWARENESS, STATELESS, CLOSE, SYNC_STATUS = 0, 1, 2, 3, 5, 7, 8
_STEP_1, _STEP_2, _UPDATE = 0, 1, 2
_TOKEN, _DENIED, _AUTHENTICATED = 0, 1, 2


class AddressedFrames:
    """Writes the frames of one address."""

    def __init__(self, address: str) -> None:
        self._prefix = write_string(address)

    def authenticate(self, token: str) -> bytes:
        return self._frame(AUTH, write_uint(_TOKEN), write_string(token), write_string(PROVIDER_VERSION))

    def step_1(self, state_vector: bytes) -> bytes:
        return self._frame(SYNC, write_uint(_STEP_1), write_bytes(state_vector))

    def step_2(self, update: bytes) -> bytes:
        return self._frame(SYNC, write_uint(_STEP_2), write_bytes(update))

    def update(self, update: bytes) -> bytes:
        return self._frame(SYNC, write_uint(_UPDATE), write_bytes(update))

    def awareness(self, update: bytes) -> bytes:
        return self._frame(AWARENESS, write_bytes(update))

    def close(self) -> bytes:
        return self._frame(CLOSE)

    def _frame(self, kind: int, *body: bytes) -> bytes:
        return b"".join((self._prefix, write_uint(kind), *body))


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """The server asks for the token again, because the one it knows ends soon."""


@dataclass(frozen=True, slots=True)
class Denied:
    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    read_only: bool


@dataclass(frozen=True, slots=True)
class Step1:
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class Step2:
    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessUpdate:
    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessWanted:
    """The server asks for the presence of this client."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The server closed this document; the socket stays."""

    reason: str


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The answer to one step 2 or update of ours."""

    stored: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message for other kinds of clients, or of a later version."""

    kind: int


Message = (
    TokenWanted
    | Denied
    | Accepted
    | Step1
    | Step2
    | Update
    | AwarenessUpdate
    | AwarenessWanted
    | Closed
    | SyncStatus
    | Ignored
)


def read_address(frame: bytes) -> tuple[str, Reader]:
    """The address of a frame, and a reader that stands at its type."""
    reader = Reader(frame)
    return reader.string(), reader


def read_message(reader: Reader) -> Message:
    """What a server sends about a document, from its type on. Raises MalformedFrame."""
    kind = reader.uint()
    match kind:
        case 0:
            return _read_sync(reader)
        case 1:
            return AwarenessUpdate(reader.var_bytes())
        case 2:
            return _read_auth(reader)
        case 3:
            return AwarenessWanted()
        case 7:
            return Closed(reader.string())
        case 8:
            return SyncStatus(stored=reader.uint() == 1)
        case _:
            return Ignored(kind)


def _read_sync(reader: Reader) -> Message:
    step = reader.uint()
    body = reader.var_bytes()
    match step:
        case 0:
            return Step1(body)
        case 1:
            return Step2(body)
        case 2:
            return Update(body)
        case _:
            raise MalformedFrame(f"sync message {step} does not exist")


def _read_auth(reader: Reader) -> Message:
    step = reader.uint()
    match step:
        case 0:
            return TokenWanted()
        case 1:
            return Denied(reader.string())
        case 2:
            return Accepted(read_only=reader.string() == "readonly")
        case _:
            raise MalformedFrame(f"auth message {step} does not exist")
