"""Feeds: durable sequences of events with the offsets 1, 2, 3, … without gaps.

An event is appended in the transaction that causes it: either both are there or neither. The feed's row stays locked
until that transaction ends, so offsets become visible in their order, and a reader that saw one has seen all before it.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.tables import feed_events, feeds
from storage.upsert import insert

MAX_DATA_BYTES = 64 * 1024

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Feed:
    """A row of feeds. It holds the events from `oldest` to `head`; none if `oldest` is beyond `head`."""

    id: int
    name: str
    epoch: str
    head: int
    oldest: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """An event. `actor` is the user who caused it, None for the server itself."""

    offset: int
    type: str
    at: datetime
    actor: str | None
    data: Mapping[str, Any]


class Draft(NamedTuple):
    """An event without an offset. Of those with the same `key` a feed takes the first, as long as it holds it."""

    type: str
    data: Mapping[str, Any]
    actor: str | None = None
    key: str | None = None


class Appended(NamedTuple):
    """What became of drafts: the events that are new, and for each draft its offset, or that of the one before it."""

    epoch: str
    events: list[Event]
    offsets: list[int]


async def append(
    connection: AsyncConnection,
    name: str,
    type: str,  # noqa: A002 - as the field is called
    data: Mapping[str, Any],
    *,
    at: datetime,
    actor: str | None = None,
    key: str | None = None,
) -> Appended:
    """Adds an event to the feed of this name, in the caller's transaction; the first one makes the feed.

    Whoever appends to several feeds does so in the order of their names, and after everything else that locks.
    """
    return await append_all(connection, name, [Draft(type, data, actor, key)], at=at)


async def append_all(connection: AsyncConnection, name: str, drafts: Sequence[Draft], *, at: datetime) -> Appended:
    """Adds events in their order. Raises AlreadyExists if a key stands for another event; ValueError for large data."""
    feed = await _advance(connection, name, len(drafts), at)
    known = await _with_keys(connection, feed.id, [draft.key for draft in drafts if draft.key is not None])
    fresh: list[_Row] = []
    offsets: list[int] = []
    for draft in drafts:
        row = _row_of(feed, feed.head - len(drafts) + 1 + len(fresh), draft, at)
        held = _held(known, row)
        if held is row:
            fresh.append(row)
        offsets.append(held["offset"])
    if len(fresh) < len(drafts):
        await _advance(connection, name, len(fresh) - len(drafts), at)
    if fresh:
        await connection.execute(plain_insert(feed_events), fresh)
    return Appended(feed.epoch, [_event(row) for row in fresh], offsets)


def _held(known: dict[str, _Row], row: _Row) -> _Row:
    """The row that its key stands for: this one, unless there is one already."""
    if row["key"] is None:
        return row
    held = known.setdefault(row["key"], row)
    if (held["type"], held["data"]) != (row["type"], row["data"]):
        raise AlreadyExists(f"the key {row['key']!r} stands for another event already")
    return held


async def _advance(connection: AsyncConnection, name: str, count: int, at: datetime) -> Feed:
    """Moves the head and locks the feed, which is made if need be."""
    head = feeds.c.head + count
    moved = update(feeds).where(feeds.c.name == name).values(head=head).returning(*feeds.c)
    row = (await connection.execute(moved)).first()
    if row is None:
        values = {"name": name, "epoch": secrets.token_hex(6), "head": count, "oldest": 1, "created_at": at}
        # Another transaction may be making it, too: that one is waited for.
        made = insert(connection, feeds).values(values)
        made = made.on_conflict_do_update(index_elements=["name"], set_={"head": head})
        row = (await connection.execute(made.returning(*feeds.c))).one()
    return Feed(*row)


async def _with_keys(connection: AsyncConnection, feed_id: int, keys: list[str]) -> dict[str, _Row]:
    if not keys:
        return {}
    query = select(feed_events).where(feed_events.c.feed_id == feed_id, feed_events.c.key.in_(keys))
    return {row["key"]: dict(row) for row in (await connection.execute(query)).mappings()}


def _row_of(feed: Feed, offset: int, draft: Draft, at: datetime) -> _Row:
    return {
        "feed_id": feed.id,
        "offset": offset,
        "type": draft.type,
        "at": at,
        "actor": draft.actor,
        "data": _encoded(draft.data),
        "key": draft.key,
    }


def _encoded(data: Mapping[str, Any]) -> str:
    encoded = msgspec.json.encode(data)
    if len(encoded) > MAX_DATA_BYTES:
        raise ValueError(f"the data of an event has {len(encoded)} bytes; at most {MAX_DATA_BYTES} are allowed")
    return encoded.decode()


async def get(connection: AsyncConnection, name: str) -> Feed | None:
    """The feed, None if nothing was ever appended to it."""
    return (await get_many(connection, [name])).get(name)


async def get_many(connection: AsyncConnection, names: Iterable[str]) -> dict[str, Feed]:
    """The feeds of these names that exist."""
    rows = await connection.execute(select(feeds).where(feeds.c.name.in_(list(names))))
    return {row.name: Feed(*row) for row in rows}


async def list_of(
    connection: AsyncConnection, *, first: str, beyond: str, after: str | None = None, limit: int
) -> list[Feed]:
    """The feeds whose names are from `first` to below `beyond`, by name; `after` is the last name seen."""
    query = select(feeds).where(feeds.c.name >= first, feeds.c.name < beyond).order_by(feeds.c.name).limit(limit)
    if after is not None:
        query = query.where(feeds.c.name > after)
    return [Feed(*row) for row in await connection.execute(query)]


async def read(connection: AsyncConnection, feed_id: int, *, after: int, limit: int) -> list[Event]:
    """The events with higher offsets than `after`, the oldest first."""
    query = _events(feed_id).where(feed_events.c.offset > after).order_by(feed_events.c.offset).limit(limit)
    return [_event(row._mapping) for row in await connection.execute(query)]


async def read_back(connection: AsyncConnection, feed_id: int, *, before: int | None = None, limit: int) -> list[Event]:
    """The newest events, the newest first; those with lower offsets than `before` if it is given."""
    query = _events(feed_id).order_by(feed_events.c.offset.desc()).limit(limit)
    if before is not None:
        query = query.where(feed_events.c.offset < before)
    return [_event(row._mapping) for row in await connection.execute(query)]


def _events(feed_id: int) -> Select[Any]:
    return select(feed_events).where(feed_events.c.feed_id == feed_id)


def _event(row: Mapping[Any, Any]) -> Event:
    return Event(row["offset"], row["type"], row["at"], row["actor"], msgspec.json.decode(row["data"]))
