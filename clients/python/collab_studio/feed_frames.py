"""Frames about feeds, among the server's own: what a watch is begun and ended with, and what comes of it."""

import datetime
from dataclasses import dataclass
from typing import Any

WATCH, WATCHING, EVENTS, UNWATCH, RESYNC_REQUIRED, WATCH_ENDED = 70, 71, 72, 73, 74, 75
FROM_SERVER = frozenset({WATCHING, EVENTS, RESYNC_REQUIRED, WATCH_ENDED})


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a feed, with everything up to `offset` behind it. Offsets of another epoch mean something else."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


BEGINNING = Position("", 0)
"""Where every feed begins; it can be watched from there for as long as it holds its first event."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a feed. `actor` is the user who caused it, None for the server itself."""

    position: Position
    type: str
    at: datetime.datetime
    actor: str | None
    data: dict[str, Any]

    @property
    def offset(self) -> int:
        return self.position.offset


@dataclass(frozen=True, slots=True)
class Watching:
    """The watch stands at this position, which is the one that was asked for if it is `recovered`."""

    id: int
    position: Position
    recovered: bool


@dataclass(frozen=True, slots=True)
class Events:
    """What comes next, in order."""

    id: int
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Resync:
    """The watch is over: the feed, which is at this position now, cannot give what follows."""

    id: int
    position: Position
    reason: str


@dataclass(frozen=True, slots=True)
class WatchEnded:
    """The watch is over, or was refused."""

    id: int
    code: str
    message: str
    details: Any


FeedMessage = Watching | Events | Resync | WatchEnded


def watch_body(number: int, feed: str, workspace_id: str | None, since: Position | None) -> dict[str, Any]:
    body: dict[str, Any] = {"id": number, "feed": feed}
    if workspace_id is not None:
        body["workspace_id"] = workspace_id
    if since is not None:
        body["since"] = {"epoch": since.epoch, "offset": since.offset}
    return body


def read_feed_message(kind: int, body: dict[str, Any]) -> FeedMessage:
    """A message of one of the types `FROM_SERVER`. Raises KeyError, TypeError."""
    match kind:
        case 71:
            return Watching(body["id"], _position(body["position"]), bool(body["recovered"]))
        case 72:
            return Events(body["id"], [_event(body["epoch"], event) for event in body["events"]])
        case 74:
            return Resync(body["id"], _position(body["position"]), body["reason"])
        case _:
            return WatchEnded(body["id"], body["code"], body["message"], body.get("details"))


def _position(value: dict[str, Any]) -> Position:
    return Position(value["epoch"], value["offset"])


def _event(epoch: str, value: dict[str, Any]) -> Event:
    return Event(Position(epoch, value["offset"]), value["type"], value["at"], value["actor"], value["data"])
