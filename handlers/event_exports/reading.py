"""What is to be sent next of each stream, in its order and without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.event_exports import ocsf_events
from handlers.event_exports.shapes import Item
from handlers.feed_names import short
from storage import audit, event_exports, feeds
from storage.event_exports import Export, Position
from storage.feeds import Feed

AUDIT = "audit"
# What a workspace's feeds are called that are sent, and how their events are shown.
FEEDS = {"findings": "security.findings", "alerts": "alerts.security"}
_SHOWN = {"findings": ocsf_events.of_finding, "alerts": ocsf_events.of_alert}
_NONE = audit.Head(0, audit.NO_HASH)
_KINDS = {name: kind for kind, name in FEEDS.items()}


@dataclass(frozen=True, slots=True)
class Heads:
    """How far the streams go."""

    audit: audit.Head
    feeds: Sequence[Feed]


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one stream, where it is once they are sent, and how many before them are kept no longer.

    `broken_at` is the first row that is not the one that was sent, or not as it was written.
    """

    items: Sequence[Item]
    reached: Position
    missed: int = 0
    broken_at: int | None = None


def names_of(streams: Sequence[str]) -> list[str]:
    """The names that feeds of these streams have in their workspaces."""
    return [FEEDS[each] for each in streams if each in FEEDS]


async def heads_of(connection: AsyncConnection, streams: Sequence[str]) -> Heads:
    head = await audit.head(connection) if AUDIT in streams else None
    return Heads(head or _NONE, await event_exports.feeds_called(connection, names_of(streams)))


def behind(export: Export, reached: dict[str, Position], heads: Heads) -> dict[str, int]:
    """How many wait of each stream that the export is for."""
    counts = {}
    if AUDIT in export.streams:
        # Rows that were cut off and written anew are a difference, too.
        counts[AUDIT] = abs(heads.audit.id - _number(reached.get(AUDIT)))
    own = set(names_of(export.streams))
    for feed in heads.feeds:
        if short(feed.name) in own:
            counts[feed.name] = feed.head - _offset(feed, reached.get(feed.name))
    return counts


def positions_at(export: Export, heads: Heads) -> dict[str, Position]:
    """Where the export's streams are that exist, if all until now counts as sent."""
    found = {AUDIT: Position(heads.audit.id, heads.audit.hash)} if AUDIT in export.streams else {}
    return found | {feed.name: Position(feed.head, feed.epoch) for feed in heads.feeds}


async def next_of(connection: AsyncConnection, stream: str, position: Position | None, *, limit: int) -> Batch | None:
    """The next items after the position, at most `limit`; None if the stream is gone."""
    if stream == AUDIT:
        return await _rows(connection, audit.Head(*position or (0, audit.NO_HASH)), limit)
    feed = await feeds.get(connection, stream)
    return None if feed is None else await _events(connection, feed, position, limit)


async def _rows(connection: AsyncConnection, seen: audit.Head, limit: int) -> Batch:
    start, broken = seen, None
    rows = await audit.read_after(connection, seen, limit=limit)
    if rows is None:
        # Somebody changed or cut off what was sent. What comes after it is sent all the same, so that tampering
        # silences nothing: the receiver has the former rows, and sees that these are not chained to them.
        newest = await audit.head(connection) or _NONE
        broken, start = seen.id, await audit.at(connection, min(seen.id, newest.id)) or _NONE
        rows = await audit.read_after(connection, start, limit=limit) or []
    reached = Position(rows[-1].id, rows[-1].hash) if rows else Position(*astuple(start))
    return Batch([_row(each) for each in rows], reached, broken_at=broken or audit.first_break(start, rows))


def _row(entry: audit.Entry) -> Item:
    event = ocsf_events.of_audit(entry)
    return Item(AUDIT, AUDIT, entry.id, entry.hash, entry.previous_hash, entry.at, event)


async def _events(connection: AsyncConnection, feed: Feed, position: Position | None, limit: int) -> Batch:
    kind = _KINDS[short(feed.name)]
    after = _offset(feed, position)
    found = await feeds.read(connection, feed.id, after=after, limit=limit)
    items = [
        Item(kind, feed.name, each.offset, feed.epoch, None, each.at, _SHOWN[kind](feed.name, each)) for each in found
    ]
    last = found[-1].offset if found else after
    return Batch(items, Position(last, feed.epoch), missed=max(0, feed.oldest - 1 - after))


def _number(position: Position | None) -> int:
    return position.number if position else 0


def _offset(feed: Feed, position: Position | None) -> int:
    """A feed that was deleted and made anew begins anew."""
    return position.number if position and position.mark == feed.epoch else 0


async def time_of_next(connection: AsyncConnection, stream: str, position: Position | None) -> datetime | None:
    """When the first happened that waits; None if nothing waits that follows what was sent."""
    batch = await next_of(connection, stream, position, limit=1)
    return batch.items[0].at if batch and batch.items else None


def cut(batch: Batch, most: int) -> Batch:
    """The first items that have so many bytes together, at least one."""
    size = 0
    for count, item in enumerate(batch.items):
        size += len(msgspec.json.encode(item.event))
        if size > most and count > 0:
            last = batch.items[count - 1]
            return replace(batch, items=batch.items[:count], reached=Position(last.number, last.mark))
    return batch
