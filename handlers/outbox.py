"""Events that a transaction causes: gathered while it runs, appended to their feeds as the last thing it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.feed_events import Batch, batch_of
from handlers.registry import Conflict
from storage import feeds
from storage.errors import AlreadyExists
from storage.feeds import Draft


@dataclass(slots=True)
class Entry:
    """An event on its way. `offset` is known, and `is_new` right, once its transaction has ended."""

    draft: Draft
    offset: int = 0
    is_new: bool = True


class Outbox:
    """The events of one transaction."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}

    def add(
        self,
        feed: str,
        type: str,  # noqa: A002 - as the field is called
        data: Mapping[str, Any],
        *,
        actor: str | None = None,
        key: str | None = None,
    ) -> Entry:
        """Appends an event to the feed (see `feed_names`) when the transaction ends, if it is not rolled back.

        `data` can be JSON and has at most 64 KiB. Of events with one `key` a feed takes only the first.
        """
        entry = Entry(Draft(type, data, actor, key))
        self._entries.setdefault(feed, []).append(entry)
        return entry

    async def append_to(self, connection: AsyncConnection, at: datetime) -> dict[str, Batch]:
        """Appends what was added: the new events of each feed. Raises Conflict for a key that is taken.

        Feeds are locked in the order of their names, so that no two transactions wait for each other.
        """
        batches = {}
        for name, entries in sorted(self._entries.items()):
            batch = await _append(connection, name, entries, at)
            if batch.events:
                batches[name] = batch
        return batches


async def _append(connection: AsyncConnection, name: str, entries: list[Entry], at: datetime) -> Batch:
    try:
        appended = await feeds.append_all(connection, name, [entry.draft for entry in entries], at=at)
    except AlreadyExists as error:
        raise Conflict(f"Nothing was published: {error}.", code="key_taken") from None
    fresh = {event.offset for event in appended.events}
    for entry, offset in zip(entries, appended.offsets, strict=True):
        entry.offset, entry.is_new = offset, offset in fresh
        # A second one with the same key in one call is not new.
        fresh.discard(offset)
    return batch_of(appended.epoch, appended.events)
