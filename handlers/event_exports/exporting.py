"""The service that exports: each export on one node at a time, its batches one after the other.

Positions move once the receiver has said that it has a batch, under the lease. Who dies in between leaves the position
where it was: the batch is sent again, and nothing is missing. An attempt that fails is made again for ever, later each
time; nothing else waits for it, and all that waits is in the database.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from handlers.attending import Attending
from handlers.attention import attention
from handlers.event_exports import reading
from handlers.event_exports.reading import Batch
from handlers.event_exports.sending import host_of, opened, send
from handlers.event_exports.standing import Progress, progress_of
from handlers.export_figures import Standing
from handlers.outgoing import NotAllowed, SendError
from handlers.parts import Parts
from storage import event_exports, leases
from storage.errors import StorageError
from storage.event_exports import Export
from storage.leases import Lease
from storage.sealing import WrongKey

logger = logging.getLogger(__name__)

# Each has a place of its own: one that hangs takes none from others.
MAX_EXPORTS = 16
LOOK_SECONDS = 1.0
IDLE_LOOK_SECONDS = 10.0
TIMEOUT_SECONDS = 30.0
# Twice what one attempt may take: a holder that is alive never loses it.
LEASE = timedelta(seconds=60)
ITEMS_AT_ONCE = 500
BYTES_AT_ONCE = 1024 * 1024
# Then others may have a turn.
BATCHES_AT_ONCE = 100
FIRST_PAUSE, LONGEST_PAUSE, JITTER = 1.0, 300.0, 0.2
_MAX_ERROR = 1000


async def keep_exporting(parts: Parts) -> None:
    """The service: exports until it is cancelled."""
    await Exporter(parts).run()


def lease_name(export_id: int) -> str:
    return f"event_export:{export_id}"


class Exporter:
    """What a node exports. `look` finds what waits and starts on it, `attend` does it for one export."""

    def __init__(
        self,
        parts: Parts,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        holder: str | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._parts = parts
        self._now = now
        self._chance = chance
        self._holder = holder or parts.bus.node_id
        self._seconds = seconds
        self._host = host_of(parts.outgoing.public_url)
        self._attending = Attending(self.attend, "the export {} waits".format)

    async def run(self) -> None:
        """Looks until it is cancelled; what is under way is cancelled with it, and sent again by others."""
        try:
            with attention(self._parts.changes, "security") as news:
                while True:
                    await news.wait(LOOK_SECONDS if await self._look_safely() else IDLE_LOOK_SECONDS)
        finally:
            await self._attending.stop()

    async def _look_safely(self) -> bool:
        try:
            return await self.look()
        except StorageError as error:
            logger.warning("exports cannot be looked at, trying again: %s", error)
            return True

    async def look(self) -> bool:
        """Starts on exports that have something due and that nobody attends to. Whether there are any exports."""
        now = self._now()
        async with self._parts.database.read() as connection:
            exports = await event_exports.list_of(connection, limit=MAX_EXPORTS)
            progress = await progress_of(connection, exports)
            names = {lease_name(each.id) for each in exports}
            free = await leases.free_at(connection, names, at=now) if names else set()
        self._parts.exports.standing = {each.id: _standing(each, progress[each.id]) for each in exports}
        for each in exports:
            is_free = lease_name(each.id) in free and each.id not in self._attending
            if is_free and _is_due(each, now) and progress[each.id].waiting:
                self._attending.start(each.id)
        return bool(exports)

    async def attend(self, export_id: int) -> int:
        """Sends what waits, if nobody else does: how many batches arrived."""
        now = self._now()
        async with self._parts.database.write() as connection:
            lease = await leases.take(connection, lease_name(export_id), self._holder, at=now, until=now + LEASE)
        if lease is None:
            return 0
        arrived, stream = 0, ""
        try:
            while arrived < BATCHES_AT_ONCE and (sent := await self._send_next(lease, export_id, stream)):
                arrived, stream = arrived + 1, sent
        finally:
            async with self._parts.database.write() as connection:
                await leases.end(connection, lease)
        return arrived

    async def _send_next(self, lease: Lease, export_id: int, previous: str) -> str | None:
        """Sends a batch of the stream after the `previous` one: its name; None if that failed or nothing waits."""
        if (export := await self._kept(lease, export_id)) is None:
            return None
        async with self._parts.database.read() as connection:
            progress = (await progress_of(connection, [export]))[export.id]
            if not progress.waiting:
                return None
            stream = next((each for each in progress.waiting if each > previous), progress.waiting[0])
        try:
            batch = await self._batch(export, stream, progress)
            if batch.items:
                target = opened(self._parts.sources.sealer, export)
                http = self._parts.outgoing.http
                await send(http, target, batch.items, host=self._host, seconds=self._seconds)
        except (NotAllowed, SendError, WrongKey) as error:
            await self._failed(lease, export, str(error))
            return None
        return stream if await self._arrived(lease, export, stream, batch) else None

    async def _kept(self, lease: Lease, export_id: int) -> Export | None:
        """The export, if the lease is still ours and something may be sent now."""
        now = self._now()
        async with self._parts.database.write() as connection:
            if not await leases.keep(connection, lease, until=now + LEASE):
                return None
            export = await event_exports.get(connection, export_id)
        return export if export is not None and _is_due(export, now) else None

    async def _batch(self, export: Export, stream: str, progress: Progress) -> Batch:
        # What a receiver refuses is found between others by sending fewer each time.
        limit = max(1, ITEMS_AT_ONCE >> min(export.tries, 16))
        async with self._parts.database.read() as connection:
            batch = await reading.next_of(connection, stream, progress.reached.get(stream), limit=limit)
        if batch is None:
            raise SendError(f"The feed {stream} was deleted.")
        return reading.cut(batch, BYTES_AT_ONCE)

    async def _arrived(self, lease: Lease, export: Export, stream: str, batch: Batch) -> bool:
        """Moves the position. Without the lease nothing is stored: whoever has it now sends this again."""
        now, first_break = self._now(), export.broken_at is None and batch.broken_at is not None
        if first_break:
            logger.error(
                "the audit trail is not as it was: row %s; `collab-studio audit verify` says more", batch.broken_at
            )
        async with self._parts.database.write() as connection:
            if not await leases.keep(connection, lease, until=now + LEASE):
                return False
            well = {"tries": 0, "next_attempt_at": None, "failing_since": None, "last_error": None, "last_sent_at": now}
            counts = {"sent": export.sent + len(batch.items), "missed": export.missed + batch.missed}
            broken = {"broken_at": batch.broken_at} if first_break else {}
            if await event_exports.change(connection, export.id, **well, **counts, **broken) is None:
                return False
            await event_exports.set_position(connection, export.id, stream, batch.reached)
        self._parts.exports.sent[export.id] += len(batch.items)
        return True

    async def _failed(self, lease: Lease, export: Export, error: str) -> None:
        now, tries = self._now(), export.tries + 1
        values = {
            "tries": tries,
            "next_attempt_at": now + self._pause(tries),
            "failing_since": export.failing_since or now,
            "last_error": f"{error[:1].upper()}{error[1:_MAX_ERROR]}",
        }
        async with self._parts.database.write() as connection:
            if await leases.keep(connection, lease, until=now + LEASE):
                await event_exports.change(connection, export.id, **values)
        self._parts.exports.failures[export.id] += 1

    def _pause(self, tries: int) -> timedelta:
        usual = min(FIRST_PAUSE * 2 ** min(tries - 1, 16), LONGEST_PAUSE)
        return timedelta(seconds=usual * (1 + JITTER * (2 * self._chance() - 1)))


def _is_due(export: Export, now: datetime) -> bool:
    return export.enabled and (export.next_attempt_at is None or export.next_attempt_at <= now)


def _standing(export: Export, progress: Progress) -> Standing:
    is_failing, is_broken = export.failing_since is not None, export.broken_at is not None
    return Standing(sum(progress.behind.values()), progress.oldest, is_failing, is_broken)
