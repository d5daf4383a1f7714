"""Operations that are watched on one node: the first answer, then what changed of it.

An answer is computed once for all who watch it, when something is told that it is made of (see `changes`): at once
after a quiet time, else once a second, and less often where it takes long. Whoever watches is looked at again whenever
their standing may have changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Coroutine, Hashable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from handlers.access import Change
from handlers.answer_channel import AnswerChannel, AnswerWatch, AnswerWatcher
from handlers.changes import Changed
from handlers.dispatch import admit, find, noting_refusals, workspace_of
from handlers.feed_standing import Watches, has_ended, key_in_doubt, refusal, show_key_again, token_expired
from handlers.parts import Parts
from handlers.registry import (
    Context,
    InvalidRequest,
    Operation,
    OperationError,
    Permission,
    Principal,
    Unavailable,
    Watched,
)
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# An answer that takes long is computed for a fifth of the time at most.
COST_FACTOR = 4.0
# After a failure of the database; what is due by the clock, and tokens that have ended, are looked for as often.
RETRY_SECONDS = 2.0
TICK_SECONDS = 1.0
# While words of other nodes do not get here.
REFRESH_SECONDS_WITHOUT_BUS = 5.0
# Watchers share the database's connections with requests, which somebody waits for.
COMPUTED_AT_ONCE = 2
# Each is an answer of up to a megabyte in memory.
MOST_CHANNELS = 2_000


class LiveAnswers:
    """All answers that are watched on this node. `run` has to run for as long as anybody watches."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        parts: Parts,
        now: Callable[[], datetime],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operations = operations
        self._parts = parts
        self._now = now
        self._clock = clock
        self._channels: dict[Hashable, AnswerChannel] = {}
        self._watches: Watches[AnswerWatch] = Watches()
        self._wake = asyncio.Event()
        self._turns = asyncio.Semaphore(COMPUTED_AT_ONCE)
        self._tended_at = clock()
        self._tasks: set[asyncio.Task[None]] = set()
        # How many times answers were computed.
        self.computed = 0
        parts.access.on_change(self._standing_changed)

    # Watching

    async def watch(
        self, name: str, parameters: Mapping[str, Any], watcher: AnswerWatcher, principal: Principal, request_id: str
    ) -> AnswerWatch:
        """Begin to watch an operation. The watcher is given the answer as soon as there is one.

        Raises OperationError where it cannot be watched, or not by this principal, or not with these parameters.
        """
        operation = find(self._operations, name)
        if operation.watched is None:
            raise InvalidRequest(f"{name} cannot be watched; ask for it.", code="not_watchable")
        context = Context(principal, self._parts, request_id, self._now)
        with noting_refusals(operation, context, parameters):
            request = await admit(operation, context, parameters)
        standing = operation.permission, workspace_of(operation, parameters)
        if operation.watched.standing is not None:
            with noting_refusals(operation, context, parameters):
                standing = await operation.watched.standing(context, request)
        channel = self._channel(operation, operation.watched, request, standing, principal)
        watch = AnswerWatch(channel, watcher, principal)
        channel.watches.add(watch)
        self._watches.add(watch)
        # Once more, now that it would be told: what changed while it was asked must not be missed.
        error = await refusal(self._parts.access, watch, self._now())
        if error is not None:
            self.close(watch)
            raise error
        channel.bring_on(watch)
        return watch

    def resume(self, watch: AnswerWatch) -> None:
        """The watcher takes what it is given again."""
        watch.channel.bring_on(watch)

    def close(self, watch: AnswerWatch) -> None:
        """The watcher wants no more, and is told nothing more."""
        if watch.is_over:
            return
        watch.is_over = True
        self._watches.discard(watch)
        watch.channel.watches.discard(watch)
        if not watch.channel.watches:
            self._channels.pop(watch.channel.key, None)

    def _channel(
        self,
        operation: Operation,
        watched: Watched,
        request: msgspec.Struct,
        standing: tuple[Permission, str | None],
        principal: Principal,
    ) -> AnswerChannel:
        owner = (principal.user_id, principal.is_admin, principal.scope) if watched.is_personal else None
        key = (operation.name, msgspec.msgpack.encode(request), owner)
        known = self._channels.get(key)
        if known is not None:
            return known
        if len(self._channels) >= MOST_CHANNELS:
            raise Unavailable(f"{MOST_CHANNELS} answers are watched here, and no more can be; come back later.")
        # The answer outlives the credential of whoever asked first; that of each watcher is looked at by itself.
        whose = dataclasses.replace(principal, sid=None, key_hash=None) if watched.is_personal else None
        channel = AnswerChannel(key, operation, request, standing, whose)
        self._channels[key] = channel
        self._make_due(channel)
        return channel

    def _end(self, watch: AnswerWatch, error: OperationError) -> None:
        if not watch.is_over:
            self.close(watch)
            watch.watcher.ended(error)

    # Staleness

    def _changed(self, changed: Changed) -> None:
        for channel in self._channels.values():
            if _concerns(changed, channel):
                self._make_due(channel)

    def _make_due(self, channel: AnswerChannel) -> None:
        due_at = max(self._clock(), channel.rests_until)
        if channel.due_at is None or due_at < channel.due_at:
            channel.due_at = due_at
            self._wake.set()

    # Standing

    def _standing_changed(self, change: Change) -> None:
        for watch in self._watches.concerned(change):
            if key_in_doubt(watch, change):
                self._end(watch, show_key_again())
            else:
                self._spawn(self._reconsider(watch))
                if watch.channel.principal is not None:
                    # What the handler asks for itself may not be allowed any more.
                    self._make_due(watch.channel)

    async def _reconsider(self, watch: AnswerWatch) -> None:
        error = await refusal(self._parts.access, watch, self._now())
        if error is not None:
            self._end(watch, error)

    # Computing

    async def run(self) -> None:
        """Compute what is due, until cancelled."""
        leave = self._parts.changes.listen(self._changed)
        try:
            while True:
                await self._until_due()
                now = self._clock()
                if now >= self._tended_at + TICK_SECONDS:
                    self._tended_at = now
                    self._tend(now)
                for channel in list(self._channels.values()):
                    if channel.due_at is not None and channel.due_at <= now and not channel.is_computing:
                        channel.due_at, channel.is_computing = None, True
                        self._spawn(self._compute(channel))
        finally:
            leave()
            for task in self._tasks:
                task.cancel()

    async def _until_due(self) -> None:
        waiting = (
            channel.due_at
            for channel in self._channels.values()
            if channel.due_at is not None and not channel.is_computing
        )
        until = min(waiting, default=self._tended_at + TICK_SECONDS)
        seconds = min(until, self._tended_at + TICK_SECONDS) - self._clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        self._wake.clear()

    def _tend(self, now: float) -> None:
        """End the watches whose credential has ended, go on with the others, and compute what the clock has changed."""
        at = self._now()
        for watch in self._watches.all():
            if has_ended(watch, at):
                self._end(watch, token_expired())
            else:
                self.resume(watch)
        for channel in self._channels.values():
            if now >= channel.refresh_at and not channel.is_computing:
                self._make_due(channel)

    async def _compute(self, channel: AnswerChannel) -> None:
        try:
            async with self._turns:
                if channel.watches:
                    await self._answer(channel)
        finally:
            channel.is_computing = False
            self._wake.set()

    async def _answer(self, channel: AnswerChannel) -> None:
        began = self._clock()
        try:
            value = await channel.computed(self._context(channel))
            self.computed += 1
            channel.give(value)
        except (StorageError, Unavailable) as error:
            self._failed(channel, error)
        except OperationError as error:
            self._end_all(channel, error)
        except Exception:
            logger.exception("the watched answer of %s could not be computed", channel.operation.name)
            self._end_all(channel, OperationError("The server failed to answer; it is in its log."))
        ended = self._clock()
        channel.rests_until = max(began + channel.pause_seconds, ended + COST_FACTOR * (ended - began))
        if channel.due_at is not None:
            channel.due_at = max(channel.due_at, channel.rests_until)
        channel.refresh_at = ended + self._refresh_seconds(channel.operation)

    def _context(self, channel: AnswerChannel) -> Context:
        return Context(channel.principal, self._parts, f"watch-{channel.operation.name}", self._now, is_watched=True)

    def _refresh_seconds(self, operation: Operation) -> float:
        assert operation.watched is not None
        seconds = operation.watched.refresh_seconds
        return seconds if self._parts.changes.is_connected else min(seconds, REFRESH_SECONDS_WITHOUT_BUS)

    def _failed(self, channel: AnswerChannel, error: Exception) -> None:
        """Not now. Who has an answer keeps it; who has none is not left waiting."""
        logger.warning("the watched answer of %s cannot be computed now: %s", channel.operation.name, error)
        channel.due_at = self._clock() + RETRY_SECONDS
        if channel.answer is None:
            self._end_all(channel, Unavailable("The database cannot be used at this moment; watch again."))

    def _end_all(self, channel: AnswerChannel, error: OperationError) -> None:
        for watch in tuple(channel.watches):
            self._end(watch, error)

    # Tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a watched answer failed", exc_info=error)


def _concerns(changed: Changed, channel: AnswerChannel) -> bool:
    watched = channel.operation.watched
    if watched is None or (changed.topic is not None and changed.topic not in watched.topics):
        return False
    if None not in (changed.workspace_id, channel.workspace_id) and changed.workspace_id != channel.workspace_id:
        return False
    if changed.subject is None or watched.subject is None:
        return True
    return changed.subject == watched.subject(channel.request)
