"""Events of feeds and positions in them, as clients and other nodes see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.registry import Instant, InvalidRequest
from storage import feeds

# More would hold up what else the bus carries; who hears that there is something new reads it from the database.
MAX_CARRIED_BYTES = 128 * 1024

_POSITION = re.compile(r"(.*):([0-9]{1,19})")


class Position(msgspec.Struct, frozen=True):
    """A place in a feed: everything up to `offset` is behind it. `epoch` says which life of the feed is meant.

    An empty epoch with the offset 0 is the beginning of a feed, also of one that has no events yet.
    """

    epoch: Annotated[str, Meta(max_length=64)]
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)]

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


BEGINNING = Position("", 0)


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event. `actor` is the user who caused it, null for the server itself."""

    offset: int
    type: str
    at: Instant
    actor: str | None
    data: dict[str, Any]


class Hint(msgspec.Struct, frozen=True, array_like=True):
    """What a node tells the others about a feed: it has events up to `head`, perhaps these among them."""

    epoch: str
    head: int
    events: list[FeedEvent]


class Batch:
    """Consecutive events of one feed; what they are encoded as is worked out once, however many watch."""

    __slots__ = ("_forms", "epoch", "events")

    def __init__(self, epoch: str, events: Sequence[FeedEvent]) -> None:
        self.epoch = epoch
        self.events = events
        self._forms: dict[Callable[[Batch], bytes], bytes] = {}

    @property
    def first(self) -> int:
        return self.events[0].offset

    @property
    def last(self) -> int:
        return self.events[-1].offset

    def after(self, offset: int) -> Batch:
        """The events behind the offset, which is not beyond the last."""
        skip = offset + 1 - self.first
        return self if skip <= 0 else Batch(self.epoch, self.events[skip:])

    def form(self, encode: Callable[[Batch], bytes]) -> bytes:
        """What `encode` makes of the batch."""
        made = self._forms.get(encode)
        if made is None:
            made = self._forms[encode] = encode(self)
        return made


_hints = msgspec.msgpack.Decoder(Hint)
_encoder = msgspec.msgpack.Encoder()


def hint_of(batch: Batch) -> bytes:
    """The batch for other nodes, or only how far it goes where it is too large."""
    whole = _encoder.encode(Hint(batch.epoch, batch.last, list(batch.events)))
    return whole if len(whole) <= MAX_CARRIED_BYTES else bare_hint_of(Position(batch.epoch, batch.last))


def bare_hint_of(position: Position) -> bytes:
    """How far a feed goes, for other nodes."""
    return _encoder.encode(Hint(position.epoch, position.offset, []))


def read_hint(message: bytes) -> Hint:
    """Raises msgspec.MsgspecError."""
    return _hints.decode(message)


def shown(event: feeds.Event) -> FeedEvent:
    """A stored event as clients see it."""
    return FeedEvent(offset=event.offset, type=event.type, at=event.at, actor=event.actor, data=dict(event.data))


def batch_of(epoch: str, events: Sequence[feeds.Event]) -> Batch:
    return Batch(epoch, [shown(event) for event in events])


def position_of(feed: feeds.Feed | None) -> Position:
    """Where the feed is now."""
    return BEGINNING if feed is None else Position(feed.epoch, feed.head)


def holds_all_after(feed: feeds.Feed | None, position: Position) -> bool:
    """Whether the feed can give every event behind the position."""
    if feed is None:
        return position == BEGINNING
    if position == BEGINNING:
        return feed.oldest == 1
    return position.epoch == feed.epoch and feed.oldest - 1 <= position.offset <= feed.head


def why_not(feed: feeds.Feed | None, position: Position) -> str:
    """Why a feed cannot give every event behind the position, as a sentence."""
    if feed is None or (position != BEGINNING and position.epoch != feed.epoch):
        return "The feed was made anew: the position is one in another."
    if position.offset > feed.head:
        return f"The position is beyond the newest event, {feed.head}."
    return f"The oldest event that is still held is {feed.oldest}."


def parse_position(text: str, parameter: str) -> Position:
    """The position that was written as `epoch:offset`. Raises InvalidRequest."""
    written = _POSITION.fullmatch(text)
    position = {"epoch": written[1], "offset": int(written[2])} if written else {}
    try:
        return msgspec.convert(position, Position)
    except msgspec.ValidationError:
        raise InvalidRequest(
            f"{parameter}: {text[:80]!r} is not a position; use `epoch:offset`, as an answer gave it.",
            details={"parameter": parameter},
        ) from None
