"""Security events over HTTP, in whichever way they come: as events, or as lines of a database's log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from analysis.detections.events import Event
from analysis.detections.logs import BadLine, Found
from analysis.detections.mysql_logs import read_mysql_json, read_server_audit
from analysis.detections.postgres_log import read_csv, read_json, without_refused
from handlers.detections.pushing import OPERATIONS, PushEvents, Unreadable
from handlers.detections.shapes import MOST_EVENTS, PushedEvent, event_of
from handlers.dispatch import invalid, validate
from handlers.registry import InvalidRequest, TooLarge
from server.representation import NDJSON, UnsupportedMediaType, decode, is_structured

_SOURCE = "data_source_id"
_MOST_BYTES_AT_ONCE = 64 * 1024
_CSV, _PLAIN = "text/csv", "text/plain"
# A log has a torn record here and there; what has more is no such log, and the reader starts anew after each.
_MOST_UNREADABLE = 100


class Read(NamedTuple):
    """The events of a body, how many records say nothing about security, and those that cannot be read."""

    events: list[Event]
    ignored: int = 0
    unreadable: Unreadable | None = None


async def events_of(body: bytes, media_type: str, source_id: int) -> Read:
    """What is in a body. Raises OperationError."""
    if len(body) <= _MOST_BYTES_AT_ONCE:
        return _events_of(body, media_type, source_id)
    return await asyncio.to_thread(_events_of, body, media_type, source_id)


def _events_of(body: bytes, media_type: str, source_id: int) -> Read:
    if media_type in (NDJSON, _CSV, _PLAIN):
        return _log(body, media_type)
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
    return Read([event_of(each) for each in request.events])


def _log(body: bytes, media_type: str) -> Read:
    """Logs are in the encoding of whichever database wrote, and hold names that strangers chose: what is not UTF-8 is
    replaced, as one such name would otherwise keep a whole log out."""
    text = body.decode(errors="replace")
    if text.count("\n") > 10 * MOST_EVENTS:
        raise _too_many()
    match media_type:
        case _ if media_type == _CSV:
            read: Iterator[Found] = read_csv(text)
        case _ if media_type == _PLAIN:
            read = read_server_audit(text)
        case _:
            read = _json_lines(text)
    found, unreadable = _readable(read)
    found = without_refused(found)
    events = [each for each in found if isinstance(each, Event)]
    if len(events) > MOST_EVENTS:
        raise _too_many()
    return Read(events, len(found) - len(events), unreadable)


def _readable(read: Iterable[Found]) -> tuple[list[Found], Unreadable | None]:
    """Raises InvalidRequest where so much cannot be read that it is no such log."""
    found: list[Found] = []
    bad = 0
    first = (0, "")
    for number, each in enumerate(read, 1):
        if not isinstance(each, BadLine):
            found.append(each)
            continue
        bad += 1
        first = first if first[0] else (number, str(each))
        if bad > _MOST_UNREADABLE:
            raise _refused(*first)
    if bad and not found:
        raise _refused(*first)
    return found, Unreadable(bad, *first) if bad else None


def _json_lines(text: str) -> Iterator[Found]:
    """Events, or records of PostgreSQL's jsonlog, which have a severity, or of MySQL's log, which have a class."""
    is_log = False
    broken: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        # MySQL writes one array, with a record on each of its lines.
        stripped = line.strip().rstrip(",")
        if stripped in ("", "[", "]"):
            continue
        try:
            value = msgspec.json.decode(stripped)
        except (msgspec.DecodeError, RecursionError):
            broken.append(number)
            yield BadLine("it is not JSON")
            continue
        if isinstance(value, dict) and ("error_severity" in value or "class" in value):
            is_log = True
            yield _record(value)
        else:
            yield _pushed(number, value)
    if broken and not is_log:
        raise _refused(broken[0], "it is not JSON")


def _record(value: dict[str, Any]) -> Found:
    try:
        return read_json(value) if "error_severity" in value else read_mysql_json(value)
    except BadLine as error:
        return error


def _pushed(number: int, value: Any) -> Event:
    """Whoever makes events themselves is told of the first that is none."""
    try:
        pushed = msgspec.convert(value, PushedEvent)
    except msgspec.ValidationError as error:
        raise _refused(number, invalid(error, PushedEvent).message.removesuffix(".")) from None
    return event_of(pushed)


def _refused(number: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"Nothing was stored. Record {number} cannot be read: {why}.", code="bad_events")


def _too_many() -> TooLarge:
    return TooLarge(f"A request holds at most {MOST_EVENTS} events.", details={"limit": MOST_EVENTS})
