"""Events of feeds become deliveries: in the order of each feed, each once, also where a node dies in between.

The positions move in the transaction that queues the deliveries. A feed that began after the integration is taken in
from its first event.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.feed_names import names_in, short
from handlers.integrations.choosing import sends, takes, took
from handlers.integrations.messages import body_of
from storage import deliveries, feeds, integrations
from storage.deliveries import NewDelivery
from storage.feeds import Event, Feed
from storage.integrations import Integration, Position

EVENTS_AT_ONCE = 100
_FEEDS_AT_ONCE = 500


class Intake(NamedTuple):
    """How many events were taken in, wanted or not, and how many a feed no longer held, by its name."""

    taken: int
    missed: dict[str, int]


class _Entry(NamedTuple):
    at: datetime
    feed: Feed
    event: Event


async def take_in(
    connection: AsyncConnection, integration: Integration, new_id: Callable[[], str], *, at: datetime
) -> Intake:
    """Queues the next events of all feeds that the integration is for."""
    behind = await integrations.behind(connection, [integration.id])
    wanted = [feed for _, feed in behind if takes(integration, short(feed.name))]
    reached = await integrations.positions(connection, integration.id)
    lists, missed = [], {}
    for feed in wanted:
        offset = _offset_in(feed, reached.get(feed.id))
        if feed.oldest > offset + 1:
            missed[short(feed.name)] = feed.oldest - 1 - offset
        events = await feeds.read(connection, feed.id, after=offset, limit=EVENTS_AT_ONCE)
        lists.append([_Entry(event.at, feed, event) for event in events])
    taken = _merged(lists)
    queued = [
        _delivery(integration, entry, new_id())
        for entry in taken
        if sends(integration, short(entry.feed.name), entry.event.type)
    ]
    await deliveries.enqueue(connection, integration.id, queued, at=at)
    moved = {entry.feed.id: Position(entry.feed.epoch, entry.event.offset) for entry in taken}
    await integrations.set_positions(connection, integration.id, moved)
    return Intake(len(taken), missed)


def _offset_in(feed: Feed, position: Position | None) -> int:
    """Positions are in the feed's own database: an epoch that changed says that others have to read anew, not we."""
    return 0 if position is None else min(position.offset, feed.head)


def _merged(lists: Iterable[list[_Entry]]) -> list[_Entry]:
    """By time over all feeds, and each feed in its own order, whatever the clocks of nodes say."""
    merged = heapq.merge(*lists, key=lambda entry: entry.at)
    return [entry for entry, _ in zip(merged, range(EVENTS_AT_ONCE), strict=False)]


def _delivery(integration: Integration, entry: _Entry, message_id: str) -> NewDelivery:
    feed, event = entry.feed, entry.event
    body = body_of(integration.workspace_id, short(feed.name), feed.epoch, event)
    return NewDelivery(message_id, short(feed.name), feed.epoch, event.offset, event.type, body)


async def begin_here(connection: AsyncConnection, integration: Integration, *, instead_of: Iterable[str] = ()) -> None:
    """The feeds that it is for and was not before begin with their next event."""
    first, beyond = names_in(integration.workspace_id)
    before = list(instead_of)
    after = None
    while found := await feeds.list_of(connection, first=first, beyond=beyond, after=after, limit=_FEEDS_AT_ONCE):
        fresh = {
            feed.id: Position(feed.epoch, feed.head)
            for feed in found
            if takes(integration, short(feed.name)) and not took(before, short(feed.name))
        }
        await integrations.set_positions(connection, integration.id, fresh)
        after = found[-1].name
