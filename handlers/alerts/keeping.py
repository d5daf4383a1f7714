"""The service for what happens to alerts by the clock, or because of others: on one node at a time.

Acknowledgements and snoozes end, silences and inhibitions begin and end, groups are told of, old alerts are deleted.
Each of it is worked out from what is stored, so that it makes no difference when the last look was, or whose it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from handlers.alerts.ending import end_what_is_over
from handlers.alerts.holding import HoldLost, holding
from handlers.alerts.notifying import notify
from handlers.alerts.suppressing import suppress
from handlers.alerts.windows import in_force_until, next_change
from handlers.changes import Changed
from handlers.parts import Parts
from storage import alert_lists, alert_routes, alert_silences
from storage.alert_silences import Silence
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# Without a word everything is looked at this often.
LOOK_SECONDS = 60.0
RETRY_SECONDS = 1.0
# Between two looks, however much is said.
PAUSE_SECONDS = 0.25
TRIM_SECONDS = 3600.0
KEEP = timedelta(days=90)
# Of what was pending and never fired.
KEEP_CLEARED = timedelta(days=1)
_AT_ONCE = 500
_TOPICS = frozenset({"alerts", "members"})


async def keep_alerts(parts: Parts) -> None:
    """The service: runs until it is cancelled."""
    await Keeper(parts).run()


class Keeper:
    """What a node does about alerts. `look` does what is due."""

    def __init__(
        self, parts: Parts, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), holder: str | None = None
    ) -> None:
        self._parts = parts
        self._now = now
        self._holder = holder or parts.bus.node_id
        self._heard = asyncio.Event()
        # Workspaces of which something was said; all of them at first.
        self._concerned: set[str] = set()
        self._all = True
        # Which silences were in force at the last look, and until when.
        self._in_force: set[tuple[str, int, datetime]] = set()

    def hear(self, changed: Changed) -> None:
        if changed.topic is not None and changed.topic not in _TOPICS:
            return
        if changed.workspace_id is None:
            self._all = True
        else:
            self._concerned.add(changed.workspace_id)
        self._heard.set()

    async def run(self) -> None:
        leave = self._parts.changes.listen(self.hear)
        looked_at = trimmed_at = time.monotonic()
        try:
            while True:
                if time.monotonic() - looked_at >= LOOK_SECONDS:
                    self._all, looked_at = True, time.monotonic()
                is_trimming = time.monotonic() - trimmed_at >= TRIM_SECONDS
                pause = await self._look_safely(is_trimming=is_trimming)
                if is_trimming:
                    trimmed_at = time.monotonic()
                await asyncio.sleep(PAUSE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, pause - PAUSE_SECONDS)):
                        await self._heard.wait()
        finally:
            leave()

    async def _look_safely(self, *, is_trimming: bool) -> float:
        try:
            pause = await self.look()
            if is_trimming:
                await self.trim()
        except StorageError as error:
            logger.warning("alerts cannot be looked at, trying again: %s", error)
            return RETRY_SECONDS
        except Exception:
            logger.exception("alerts were not looked at; trying again")
            return RETRY_SECONDS
        return pause

    async def look(self) -> float:
        """Does what is due, and says in how many seconds to look again if nothing is said."""
        self._heard.clear()
        concerned, everything = self._concerned, self._all
        self._concerned, self._all = set(), False
        try:
            silences = await self._silences()
            workspaces = concerned | self._noted(silences) | await self._due()
            if everything:
                workspaces |= await self._all_workspaces()
            if not workspaces:
                return await self._until_next(silences)
            async with holding(self._parts, self._holder, self._now) as hold:
                await end_what_is_over(self._parts, hold, self._now())
                for workspace_id in sorted(workspaces):
                    own = [silence for silence in silences if silence.workspace_id == workspace_id]
                    judged = await suppress(self._parts, hold, workspace_id, own, self._now())
                    await notify(self._parts, hold, workspace_id, judged, self._now())
        except HoldLost:
            # Another node is at it; whether it comes to its end, the next look shows.
            self._all = True
            return RETRY_SECONDS
        except BaseException:
            self._all = True
            raise
        return await self._until_next(silences)

    async def _silences(self) -> list[Silence]:
        async with self._parts.database.read() as connection:
            return await alert_silences.alive(connection, at=self._now())

    def _noted(self, silences: list[Silence]) -> set[str]:
        """The workspaces in which a silence began or ended since the last look."""
        now, before = self._now(), self._in_force
        self._in_force = {
            (silence.workspace_id, silence.id, until)
            for silence in silences
            if (until := in_force_until(silence, now)) is not None
        }
        return {workspace_id for workspace_id, _, _ in before ^ self._in_force}

    async def _due(self) -> set[str]:
        """The workspaces in which the clock alone changes something."""
        now = self._now()
        found: set[str] = set()
        async with self._parts.database.read() as connection:
            for column in ("acknowledged_until", "snoozed_until"):
                rows = await alert_lists.overdue(connection, column, at=now, limit=_AT_ONCE)
                found |= {alert.workspace_id for alert in rows}
            found |= await alert_routes.due(connection, at=now)
        return found

    async def _all_workspaces(self) -> set[str]:
        async with self._parts.database.read() as connection:
            found = await alert_lists.workspaces_with_open(connection)
            return found | await alert_routes.workspaces_with_groups(connection)

    async def _until_next(self, silences: list[Silence]) -> float:
        now = self._now()
        async with self._parts.database.read() as connection:
            times = [await alert_lists.next_due(connection), await alert_routes.next_due(connection)]
        times += [next_change(silence, now) for silence in silences]
        coming = [(each - now).total_seconds() for each in times if each is not None]
        return max(0.0, min([LOOK_SECONDS, *coming]))

    async def trim(self) -> int:
        """Deletes what was resolved long ago: how many alerts."""
        now, deleted = self._now(), 0
        while True:
            async with self._parts.database.write() as connection:
                count = await alert_lists.trim(
                    connection, resolved_before=now - KEEP, cleared_before=now - KEEP_CLEARED, limit=_AT_ONCE
                )
            deleted += count
            if count < _AT_ONCE:
                return deleted
