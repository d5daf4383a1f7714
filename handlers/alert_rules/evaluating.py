"""The service that evaluates alert rules: on one node of the cluster, wherever the lease is.

It wakes with the word that samples were stored, and otherwise once a second: by the clock alerts fire and end, too.
Where no rule is enabled it sleeps until somebody changes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from handlers import measurements
from handlers.alert_rules.evaluation import LEASE_TIME, Evaluation, LeaseLost, RulesChanged
from handlers.alert_rules.reading import DOMAIN, LEASE
from handlers.changes import Changed, Changes
from handlers.parts import Parts
from storage import alert_rules, leases
from storage.errors import StorageError
from storage.leases import Lease

logger = logging.getLogger(__name__)

# Between two evaluations, at least and at most.
PAUSE_SECONDS = 0.2
LOOK_SECONDS = 1.0
# How often the other nodes look whether the lease is free.
STANDBY_SECONDS = 0.7
# Without rules, in case that a word of the first one was lost.
IDLE_SECONDS = 30.0
RETRY_SECONDS = 1.0

# A word of a change may be lost: how often it is looked for one.
CHECK_SECONDS = 10.0

_RULES = frozenset({"alert_rules", "data_sources"})


class _Ear:
    """Hears of samples, and of rules and sources that changed."""

    def __init__(self) -> None:
        self.rules_changed = False
        self._anything = asyncio.Event()
        self._rules = asyncio.Event()

    def hear(self, changed: Changed) -> None:
        if changed.topic is None or changed.topic in _RULES:
            self.rules_changed = True
            self._rules.set()
            self._anything.set()
        elif changed.topic == measurements.TOPIC:
            self._anything.set()

    async def wait(self, seconds: float, *, rules_only: bool) -> None:
        event = self._rules if rules_only else self._anything
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        event.clear()


class Evaluator:
    """One node's part in it: `turn` evaluates where this node has the lease, or may have it."""

    def __init__(self, parts: Parts, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._parts, self._now = parts, now
        self._holder = f"{parts.bus.node_id}:{secrets.token_hex(4)}"
        self._lease: Lease | None = None
        self._evaluation: Evaluation | None = None
        # Until when somebody evaluated, or was about to.
        self._seen_until: datetime | None = None
        self._signature: tuple[int, ...] | None = None
        self._checked_at = 0.0
        self._reload = True

    @property
    def is_evaluating(self) -> bool:
        return self._evaluation is not None

    def rules_changed(self) -> None:
        """What is known of rules and sources is to be read anew before the next evaluation."""
        self._reload = True

    async def turn(self) -> float:
        """Evaluates if it is for this node to do; says in how many seconds to look again at the latest."""
        if not await self._any_rules():
            await self.stop()
            self._reload = True
            return IDLE_SECONDS
        try:
            return await self._evaluate()
        except LeaseLost:
            self._lease = self._evaluation = None
            return STANDBY_SECONDS
        except RulesChanged:
            self._evaluation = None
            return 0.0
        except BaseException:
            # Whether the transaction was committed is not known.
            self._evaluation = None
            raise

    async def _any_rules(self) -> bool:
        if self._reload or time.monotonic() - self._checked_at > CHECK_SECONDS:
            async with self._parts.database.read() as connection:
                signature = await alert_rules.signature(connection, DOMAIN)
            if signature != self._signature:
                self._evaluation = None
            self._signature, self._reload, self._checked_at = signature, False, time.monotonic()
        return self._signature is not None and self._signature[0] > 0

    async def _evaluate(self) -> float:
        if self._evaluation is None:
            async with self._parts.database.read() as connection:
                self._seen_until = await leases.held_until(connection, LEASE)
        if self._lease is None and not await self._take_lease():
            return STANDBY_SECONDS
        assert self._lease is not None
        if self._evaluation is None:
            self._evaluation = await Evaluation.begin(self._parts, self._lease, self._now, self._seen_until)
        await self._evaluation.turn()
        return LOOK_SECONDS

    async def _take_lease(self) -> bool:
        now = self._now()
        async with self._parts.database.read() as connection:
            if not await leases.free_at(connection, [LEASE], at=now):
                return False
        async with self._parts.database.write() as connection:
            self._lease = await leases.take(connection, LEASE, self._holder, at=now, until=now + LEASE_TIME)
        return self._lease is not None

    async def stop(self) -> None:
        """Others may evaluate at once."""
        lease, self._lease, self._evaluation = self._lease, None, None
        if lease is not None:
            async with self._parts.database.write() as connection:
                await leases.end(connection, lease, at=self._now())


async def keep_evaluating(parts: Parts) -> None:
    """The service: rules are evaluated until it is cancelled."""
    ear, evaluator = _Ear(), Evaluator(parts)
    with _listening(parts.changes, ear):
        try:
            while True:
                pause = RETRY_SECONDS
                if ear.rules_changed:
                    ear.rules_changed = False
                    evaluator.rules_changed()
                try:
                    pause = await evaluator.turn()
                except StorageError as error:
                    logger.warning("alert rules cannot be evaluated, trying again: %s", error)
                except Exception:
                    logger.exception("alert rules could not be evaluated; trying again")
                ended_at = time.monotonic()
                if pause:
                    await ear.wait(pause, rules_only=not evaluator.is_evaluating)
                await asyncio.sleep(max(0.0, ended_at + PAUSE_SECONDS - time.monotonic()))
        finally:
            with contextlib.suppress(StorageError):
                await asyncio.shield(evaluator.stop())


@contextlib.contextmanager
def _listening(changes: Changes, ear: _Ear) -> Iterator[None]:
    leave = changes.listen(ear.hear)
    try:
        yield
    finally:
        leave()
