"""The server's own frames: `varString "@studio", varUint type`, and one MessagePack body that fills the rest.

No document can have the address, so stock editors on the same server never see these frames.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped, unused-ignore]

from collab_studio import answer_frames, feed_frames
from collab_studio.answer_frames import WATCH_OPERATION, AnswerMessage, read_answer_message
from collab_studio.errors import MalformedFrame
from collab_studio.feed_frames import UNWATCH, WATCH, FeedMessage, Position, read_feed_message, watch_body
from collab_studio.lib0 import Reader, write_string, write_uint

ADDRESS = "@studio"
_PREFIX = write_string(ADDRESS)

HELLO, WELCOME, REQUEST, RESULT, ERROR, GOING_AWAY = 64, 65, 66, 67, 68, 69
_FROM_SERVER = feed_frames.FROM_SERVER | answer_frames.FROM_SERVER | {WELCOME, RESULT, ERROR, GOING_AWAY}


@dataclass(frozen=True, slots=True)
class Welcome:
    """The socket is authenticated as `user`."""

    user: str
    server: str
    version: str


@dataclass(frozen=True, slots=True)
class Result:
    id: int
    value: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not done; `id` is None where no request is meant."""

    id: int | None
    code: str
    message: str
    details: Any
    request_id: str | None


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The server stops: connect again after a pause of one's own choice up to `after_ms` milliseconds."""

    reason: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class Unknown:
    kind: int


StudioMessage = Welcome | Result | Refusal | GoingAway | FeedMessage | AnswerMessage | Unknown


def hello(token: str) -> bytes:
    return _frame(HELLO, {"token": token})


def request(number: int, operation: str, parameters: dict[str, Any]) -> bytes:
    """Raises TypeError if a parameter has no MessagePack form. Dates and times become ISO 8601 strings."""
    return _frame(REQUEST, {"id": number, "operation": operation, "parameters": parameters})


def watch(number: int, feed: str, workspace_id: str | None, since: Position | None) -> bytes:
    """Begin to watch a feed; without a workspace it is the user's own inbox."""
    return _frame(WATCH, watch_body(number, feed, workspace_id, since))


def watch_operation(number: int, operation: str, parameters: dict[str, Any]) -> bytes:
    """Begin to watch an operation. Raises TypeError, see `request`."""
    return _frame(WATCH_OPERATION, {"id": number, "operation": operation, "parameters": parameters})


def unwatch(number: int) -> bytes:
    return _frame(UNWATCH, {"id": number})


def read_studio_message(reader: Reader) -> StudioMessage:
    """What the server sends under its own address, from the type on. Raises MalformedFrame."""
    kind = reader.uint()
    if kind not in _FROM_SERVER:
        return Unknown(kind)
    body = _unpack(reader.rest())
    try:
        if kind in feed_frames.FROM_SERVER:
            return read_feed_message(kind, body)
        return read_answer_message(kind, body) if kind in answer_frames.FROM_SERVER else _build(kind, body)
    except KeyError as error:
        raise MalformedFrame(f"a message of type {kind} has no {error}") from error
    except TypeError as error:
        raise MalformedFrame(f"a message of type {kind} is not as it should be: {error}") from error


def _build(kind: int, body: dict[str, Any]) -> StudioMessage:
    match kind:
        case 65:
            return Welcome(body["user"], body["server"], body.get("version", ""))
        case 67:
            return Result(body["id"], body["value"])
        case 68:
            return Refusal(body["id"], body["code"], body["message"], body.get("details"), body.get("request_id"))
        case _:
            return GoingAway(body["reason"], int(body["after_ms"]))


def _frame(kind: int, body: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb(body, default=_plain)
    return b"".join((_PREFIX, write_uint(kind), packed))


def _plain(value: object) -> object:
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} cannot be sent as a parameter")


def _unpack(data: bytes) -> dict[str, Any]:
    try:
        # timestamp=3: MessagePack timestamps become aware datetimes.
        body = msgpack.unpackb(data, timestamp=3, strict_map_key=False)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise MalformedFrame("a body is not MessagePack") from error
    if not isinstance(body, dict):
        raise MalformedFrame("a body is not a map")
    return body
