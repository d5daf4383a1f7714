"""Security events over HTTP, in whichever way they come: as events, or as lines of a database's log."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from analysis.detections.events import Event
from analysis.detections.logs import BadLine, mariadb_audit, postgres_csv, postgres_json
from handlers.detections.pushing import OPERATIONS, PushEvents
from handlers.detections.shapes import MOST_EVENTS, PushedEvent, event_of
from handlers.dispatch import invalid, validate
from handlers.registry import InvalidRequest, TooLarge
from server.representation import NDJSON, UnsupportedMediaType, decode, is_structured

_SOURCE = "data_source_id"
_MOST_BYTES_AT_ONCE = 64 * 1024
_CSV, _PLAIN = "text/csv", "text/plain"


async def events_of(body: bytes, media_type: str, source_id: int) -> tuple[list[Event], int]:
    """The events of a body, and how many lines say nothing about security. Raises OperationError."""
    if len(body) <= _MOST_BYTES_AT_ONCE:
        return _events_of(body, media_type, source_id)
    return await asyncio.to_thread(_events_of, body, media_type, source_id)


def _events_of(body: bytes, media_type: str, source_id: int) -> tuple[list[Event], int]:
    if media_type in (NDJSON, _CSV, _PLAIN):
        return _lines(body, media_type)
    if not is_structured(media_type):
        raise UnsupportedMediaType(
            f"Events come as JSON, as MessagePack, one a line as {NDJSON}, or as lines of a log as {_CSV} or {_PLAIN}: "
            "say which in Content-Type.",
            details={"given": media_type[:100]},
        )
    value: Any = decode(body, media_type) if body else {}
    parameters = value if isinstance(value, dict) else {"events": value}
    if _SOURCE in parameters:
        raise InvalidRequest("The address says which data source it is.", details={"unknown": [_SOURCE]})
    request = validate(OPERATIONS[0], {**parameters, _SOURCE: source_id})
    assert isinstance(request, PushEvents)
    return [event_of(each) for each in request.events], 0


def _lines(body: bytes, media_type: str) -> tuple[list[Event], int]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _refused(1, "it is not UTF-8") from None
    if text.count("\n") > 10 * MOST_EVENTS:
        raise _too_many()
    if media_type == NDJSON:
        found = [_json_line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    else:
        read = postgres_csv(text) if media_type == _CSV else mariadb_audit(text.splitlines())
        found = []
        try:
            found.extend(read)
        except BadLine as error:
            raise _refused(len(found) + 1, str(error)) from None
    events = [each for each in found if each is not None]
    if len(events) > MOST_EVENTS:
        raise _too_many()
    return events, len(found) - len(events)


def _json_line(number: int, line: str) -> Event | None:
    """An event, or a record of PostgreSQL's jsonlog, which has a severity."""
    try:
        value = msgspec.json.decode(line)
        if isinstance(value, dict) and "error_severity" in value:
            return postgres_json(value)
        return event_of(msgspec.convert(value, PushedEvent))
    except BadLine as error:
        raise _refused(number, str(error)) from None
    except msgspec.ValidationError as error:
        raise _refused(number, invalid(error, PushedEvent).message.removesuffix(".")) from None
    except msgspec.DecodeError:
        raise _refused(number, "it is not JSON") from None


def _refused(number: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"Nothing was stored. Record {number} cannot be read: {why}.", code="bad_events")


def _too_many() -> TooLarge:
    return TooLarge(f"A request holds at most {MOST_EVENTS} events.", details={"limit": MOST_EVENTS})
