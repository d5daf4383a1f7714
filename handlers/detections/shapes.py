"""Events as they are pushed, and detections and alerts as they are shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analysis.detections.events import Event, Kind, Name
from handlers.alert_shapes import AlertShown
from handlers.names import RowId
from handlers.registry import Instant
from storage.tables import to_microseconds

# About what takes a third of a second of one core.
MOST_EVENTS = 10_000

DataSourceId = RowId
DetectionState = Literal["live", "learning", "no_events", "off"]
Short = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=10_000)]


class PushedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happened in a data source, by the words of the OWASP logging vocabulary.

    An event that comes twice with one `id` counts once. `token` is the id of a credential, never the credential;
    `input` is what an untrusted person entered; `count` stands for so many of the same.
    """

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    at: Instant
    kind: Kind
    actor: Name = ""
    address: Short = ""
    application: Name = ""
    object: Name = ""
    target: Name = ""
    token: Annotated[str, Meta(max_length=200)] = ""
    statement: Text = ""
    input: Text = ""
    error: Short = ""
    country: Short = ""
    network_owner: Annotated[str, Meta(max_length=200)] = ""
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    rows: Annotated[int, Meta(ge=0, le=2**53)] = 0
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    is_admin: bool = False
    is_service: bool = False


_SAME = tuple(name for name in PushedEvent.__struct_fields__ if name != "at")


def event_of(pushed: PushedEvent) -> Event:
    """As detections look at it."""
    same: dict[str, Any] = {name: getattr(pushed, name) for name in _SAME}
    return Event(at=max(0, to_microseconds(pushed.at)), **same)


class EventsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken is durable. `late` came more than two minutes after a later event, or again, and was left out.

    `ahead` are more than ten minutes ahead of the server's clock and were left out, too.
    `ignored` records of a log say nothing about security, `unreadable` ones are torn or of another form.
    """

    taken: int
    late: int
    ahead: int
    ignored: int
    unreadable: int
    message: str | None


class DetectionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A detection and whether it is at work for a stream; if not, `reason` says what it lacks."""

    id: str
    title: str
    severity: str
    tactic: str
    kinds: list[str]
    state: DetectionState
    reason: str | None


class StreamShown(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a data source, or null for those of the server's own audit trail, and what looks at them."""

    data_source_id: int | None
    name: str
    looked_at: int
    waiting: int
    late: int
    newest_event_at: Instant | None
    live: int
    detections: list[DetectionShown]


class EventBehind(msgspec.Struct, frozen=True, kw_only=True):
    """An event behind an alert: `about` is what of it counts."""

    id: str
    at: Instant
    about: str
    count: int


class SecurityAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert. `explanation`, `entity`, `events` and `trigger` are for those who manage the workspace, else null.

    They are null, too, for alerts that no detection raised. `trigger` is the last event that fulfilled the detection.
    """

    alert: AlertShown
    explanation: str | None
    entity: str | None
    events: list[EventBehind] | None
    trigger: dict[str, Any] | None
