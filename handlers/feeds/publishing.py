"""Events that services publish to feeds of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.feed_names import FeedName, feed_of, is_reserved
from handlers.feeds.reading import ONE
from handlers.names import WorkspaceId
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, Operation, Permission, TooLarge
from storage.feeds import MAX_DATA_BYTES

MAX_EVENTS = 100

EventType = Annotated[
    str,
    Meta(
        pattern=r"^[\x21-\x7e]{1,100}$(?!\n)",
        description="What happened, in a word for programs: 1 to 100 visible ASCII characters.",
        examples=["deployment.finished"],
    ),
]
Key = Annotated[
    str,
    Meta(
        pattern=r"^[\x21-\x7e]{1,200}$(?!\n)",
        description="Says which event this is: published again with the same key, it is taken once.",
    ),
]


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event to publish. `data` is any JSON object of up to 64 KiB."""

    type: EventType
    data: dict[str, Any] = {}
    key: Key | None = None


class PublishEvents(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, in this order, or none.

    A key is remembered for as long as the feed holds its event. Other content under a known key is refused.
    """

    workspace_id: WorkspaceId
    feed: FeedName
    events: Annotated[list[NewEvent], Meta(min_length=1, max_length=MAX_EVENTS)]


class PublishedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Where the event is in the feed. `is_new` is false if it was there before, by its key."""

    offset: int
    is_new: bool


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """For each event what became of it."""

    events: list[PublishedEvent]


async def publish_events(context: Context, request: PublishEvents) -> Published:
    if is_reserved(request.feed):
        raise Forbidden(
            f"Only the server publishes to {request.feed!r}; choose a name that is neither `activity` nor begins with "
            "`alerts.`, `scans.` or `notifications`.",
            code="reserved_feed",
        )
    events = [(event, storable(event.data, at)) for at, event in enumerate(request.events)]
    name = feed_of(request.workspace_id, request.feed)
    async with context.parts.feeds.writing() as (_, outbox):
        actor = context.user.user_id
        entries = [outbox.add(name, event.type, data, actor=actor, key=event.key) for event, data in events]
    return Published(events=[PublishedEvent(offset=entry.offset, is_new=entry.is_new) for entry in entries])


def storable(data: Mapping[str, Any], at: int) -> dict[str, Any]:
    """The data of the event at this place as JSON and MessagePack both hold it. Raises InvalidRequest, TooLarge."""
    where = f"events[{at}].data"
    try:
        encoded = msgspec.json.encode(data)
        plain: dict[str, Any] = msgspec.json.decode(encoded)
        msgspec.msgpack.encode(plain)
    except (msgspec.MsgspecError, OverflowError, RecursionError, TypeError, UnicodeError) as error:
        raise InvalidRequest(
            f"{where}: it cannot be kept as JSON: {error}; use texts, 64-bit numbers, lists and objects.",
            details={"parameter": where},
        ) from None
    if len(encoded) > MAX_DATA_BYTES:
        raise TooLarge(
            f"{where} has {len(encoded)} bytes as JSON; at most {MAX_DATA_BYTES} are allowed. Publish where to find "
            "the rest.",
            details={"parameter": where, "limit": MAX_DATA_BYTES},
        )
    return plain


OPERATIONS = (
    Operation(
        "feeds.publish",
        PublishEvents,
        Published,
        publish_events,
        f"POST {ONE}/events",
        Permission.WRITE,
        "Publish events to a feed, which the first one makes.",
        # The feed itself says who published what and when.
        audited=False,
        errors=(Conflict, Forbidden),
    ),
)
