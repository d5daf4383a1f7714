"""The service that delivers: each integration on one node at a time, its deliveries one after the other.

An event is queued before it is sent, and taken off the queue when the answer is stored. Who dies in between leaves it
queued: it is sent again, with the same id. A delivery that fails is tried again, and all later ones wait for it, until
it is given up.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.attending import Attending
from handlers.attention import Attention, attention
from handlers.feed_names import inbox_of, short
from handlers.integrations.backoff import DISABLE_AFTER, MAX_ATTEMPTS, pause
from handlers.integrations.choosing import takes
from handlers.integrations.intake import take_in
from handlers.integrations.sending import Message, Outcome, Sender
from handlers.outbox import Outbox
from handlers.parts import Parts
from storage import deliveries, integrations
from storage.deliveries import DELIVERED, FAILED, Delivery
from storage.errors import StorageError
from storage.integrations import Integration, Lease

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
IDLE_LOOK_SECONDS = 5.0
TRIM_SECONDS = 600.0
# Several times what one attempt may take: a holder that is alive never loses it.
LEASE = timedelta(seconds=60)
AT_ONCE = 16
# Then others may have a turn.
DELIVERIES_AT_ONCE = 200
KEEP_AGE = timedelta(days=30)
KEEP_COUNT = 10_000
KEEP_ATTEMPTS = 50
TRIMMED_AT_ONCE = 500


async def keep_delivering(parts: Parts) -> None:
    """The service: delivers until it is cancelled."""
    await Deliverer(parts).run()


class Deliverer:
    """What a node delivers. `look` finds what is due and starts on it, `attend` does it for one integration."""

    def __init__(
        self,
        parts: Parts,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: f"msg_{secrets.token_hex(16)}",
        holder: str | None = None,
    ) -> None:
        self._parts = parts
        self._now = now
        self._chance = chance
        self._new_id = new_id
        self._holder = holder or parts.bus.node_id
        self._sender = Sender(parts.outgoing.http, parts.outgoing.mail, parts.sources.sealer)
        self._attending = Attending(self.attend, "deliveries of the integration {} wait".format)
        self._has_some = True

    async def run(self) -> None:
        """Looks and trims until it is cancelled; what is under way is cancelled with it, and sent again by others."""
        try:
            with attention(self._parts.changes, "integrations") as news:
                await self._look_for_ever(news)
        finally:
            await self._attending.stop()

    async def _look_for_ever(self, news: Attention) -> None:
        trimmed = time.monotonic()
        while True:
            pause = LOOK_SECONDS
            try:
                await self.look()
                # With none there is nothing to look for, until somebody makes one.
                pause = LOOK_SECONDS if self._has_some else IDLE_LOOK_SECONDS
                if time.monotonic() - trimmed >= TRIM_SECONDS:
                    trimmed = time.monotonic()
                    await self.trim()
            except StorageError as error:
                logger.warning("integrations cannot be looked at, trying again: %s", error)
            await news.wait(pause)

    async def look(self) -> None:
        """Starts on integrations that have something due and that nobody attends to."""
        for integration_id in await self.due():
            if len(self._attending) >= AT_ONCE:
                return
            if integration_id not in self._attending:
                self._attending.start(integration_id)

    async def due(self) -> list[int]:
        """The integrations that have something to send now and that nobody attends to."""
        now = self._now()
        async with self._parts.database.read() as connection:
            known = {each.id: each for each in await integrations.unattended(connection, at=now)}
            self._has_some = bool(known or self._attending)
            if not known:
                return []
            waiting = await integrations.due_at(connection, list(known))
            idle = [each for each in known if each not in waiting]
            behind = await integrations.behind(connection, idle) if idle else []
        due = {each for each, at in waiting.items() if at <= now}
        due |= {each for each, feed in behind if takes(known[each], short(feed.name))}
        return sorted(due)

    async def attend(self, integration_id: int) -> int:
        """Delivers what is due, if nobody else does: how many attempts that took."""
        now = self._now()
        async with self._parts.database.write() as connection:
            lease = await integrations.take_lease(connection, integration_id, self._holder, at=now, until=now + LEASE)
        if lease is None:
            return 0
        attempts = 0
        try:
            while attempts < DELIVERIES_AT_ONCE and await self.deliver_next(lease):
                attempts += 1
        finally:
            async with self._parts.database.write() as connection:
                await integrations.end_lease(connection, lease)
        return attempts

    async def deliver_next(self, lease: Lease) -> bool:
        """Tries the first delivery. False if there is none that is due, or the lease is another's."""
        begun = await self._next(lease)
        if begun is None:
            return False
        integration, delivery = begun
        at = self._now()
        outcome = await self._sender.send(integration, Message(delivery.message_id, delivery.body), at=at)
        return await self._note(lease, delivery, outcome, at)

    async def _next(self, lease: Lease) -> tuple[Integration, Delivery] | None:
        now = self._now()
        async with self._parts.feeds.writing() as (connection, outbox):
            integration = await integrations.keep_lease(connection, lease, until=now + LEASE)
            if integration is None or not integration.enabled:
                return None
            delivery = await deliveries.first_pending(connection, integration.id)
            while delivery is None:
                intake = await take_in(connection, integration, self._new_id, at=now)
                for feed, count in intake.missed.items():
                    _tell(outbox, integration, "integration.events_missed", {"feed": feed, "count": count})
                if not intake.taken:
                    return None
                delivery = await deliveries.first_pending(connection, integration.id)
            is_due = delivery.next_attempt_at is None or delivery.next_attempt_at <= now
            return (integration, delivery) if is_due else None

    async def _note(self, lease: Lease, delivery: Delivery, outcome: Outcome, at: datetime) -> bool:
        """Stores how it went. Without the lease nothing is stored: whoever has it now sends this again."""
        now = self._now()
        async with self._parts.feeds.writing() as (connection, outbox):
            integration = await integrations.keep_lease(connection, lease, until=now + LEASE)
            if integration is None:
                return False
            await deliveries.note_attempt(
                connection,
                delivery.id,
                at=at,
                seconds=outcome.seconds,
                status=outcome.status,
                error=outcome.error,
                answer=outcome.answer,
                keep=KEEP_ATTEMPTS,
            )
            if outcome.ok:
                await self._succeeded(connection, integration, delivery, now)
            else:
                await self._failed(connection, outbox, integration, delivery, outcome, now)
        return True

    async def _succeeded(
        self, connection: AsyncConnection, integration: Integration, delivery: Delivery, now: datetime
    ) -> None:
        await deliveries.finish(connection, delivery.id, DELIVERED, tries=delivery.tries + 1, at=now)
        if integration.failing_since is not None:
            await integrations.change(connection, integration.id, failing_since=None)

    async def _failed(
        self,
        connection: AsyncConnection,
        outbox: Outbox,
        integration: Integration,
        delivery: Delivery,
        outcome: Outcome,
        now: datetime,
    ) -> None:
        tries, since = delivery.tries + 1, integration.failing_since or now
        if integration.failing_since is None:
            await integrations.change(connection, integration.id, failing_since=since)
        about = {"delivery_id": delivery.id, "type": delivery.type, "error": outcome.error}
        if outcome.is_final or tries >= MAX_ATTEMPTS:
            # One word for an address that is away, not one for each event.
            if not await deliveries.has_failed_since(connection, integration.id, since):
                _tell(outbox, integration, "integration.delivery_failed", about)
            await deliveries.finish(connection, delivery.id, FAILED, tries=tries, at=now)
        else:
            until = now + pause(tries, self._chance(), outcome.retry_after)
            await deliveries.postpone(connection, delivery.id, tries=tries, until=until)
        if outcome.is_final or now - since >= DISABLE_AFTER:
            reason = (
                "The address is gone for good." if outcome.is_final else f"Nothing has arrived since {since:%Y-%m-%d}."
            )
            values = {"enabled": False, "disabled_reason": reason, "updated_at": now}
            await integrations.change(connection, integration.id, **values)
            _tell(outbox, integration, "integration.disabled", {**about, "reason": reason})

    async def trim(self) -> None:
        """Deletes what was kept long enough."""
        now = self._now()
        async with self._parts.database.read() as connection:
            known = await integrations.unattended(connection, at=now)
        for integration in known:
            count = TRIMMED_AT_ONCE
            while count == TRIMMED_AT_ONCE:
                async with self._parts.database.write() as connection:
                    count = await deliveries.trim(
                        connection, integration.id, before=now - KEEP_AGE, keep=KEEP_COUNT, at_most=TRIMMED_AT_ONCE
                    )


def _tell(outbox: Outbox, integration: Integration, what: str, data: dict[str, object]) -> None:
    """Puts it into the inbox of the integration's owner."""
    about = {"workspace_id": integration.workspace_id, "integration_id": integration.id, "name": integration.name}
    outbox.add(inbox_of(integration.owner), what, {**about, **data})
