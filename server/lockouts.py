"""Against guessing: places from which too many wrong credentials come have to wait, each time for longer.

A place is an address, or a /64 of IPv6. While it waits no credential from there is looked at, the right one included,
but those that were let in there before: whoever guesses from an office keeps nobody there out who is at work.

Names (whose a credential claims to be, or how a key begins) are never locked. Where too many wrong ones come in a name,
from wherever, each place has one try in it. So nobody can keep another out, and answers are the same for names that
nobody has.

Failures are counted here at once, and in Redis for all nodes; who has to wait is told to the others. When Redis is
away, or a flood comes from more places than it should hold, each node counts for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

import msgspec

from handlers.audit_trail import AUTH_FAILED, AUTH_LOCKED, LOCKED_OUT, AuditTrail
from handlers.credentials import fingerprint
from handlers.registry import OperationError, RateLimited
from server.bootstrap import installation_name
from server.failure_counts import MOST_KEYS, FailureCounts, Patience
from server.limits import TokenBucket
from server.places import place_of
from server.settings import Settings
from server.tokens import name_in
from storage.bus.channels import Bus
from storage.database import Database
from storage.errors import Unavailable
from storage.shared_failures import Bounds, RedisFailures

CHANNEL = "lockouts"
# A page whose credential no longer holds sends it again each few seconds, and guesses nothing by that.
REPEATED = 0.02
# Of these wrong credentials it is known that a place has sent them before.
REMEMBERED_OF_A_PLACE = 8
# Credentials that were let in somewhere, some 300 bytes each: those of a large installation.
LET_IN = 10_000
# What a flood may make of each node: calls of Redis and words to other nodes a second, and at once. A key in Redis
# lives for 15 minutes at most, so that there are below 50,000 of a node.
TOLD_RATE, TOLD_BURST = 50.0, 1000.0
_LONGEST_PLACE = 64
_GUESSED = frozenset({"invalid_token", "invalid_grant"})


class LockedOut(RateLimited):
    """Too many wrong credentials came from there; `details.retry_after` says for how many seconds to wait."""

    default_code = LOCKED_OUT

    def __init__(self, wait: float) -> None:
        seconds = math.ceil(wait)
        super().__init__(
            f"Too many wrong credentials came from your address; wait for {seconds} s.",
            details={"retry_after": seconds},
        )


def is_wrong_credential(error: Exception) -> bool:
    """Not what has merely ended, or is of somebody who is shut out: nobody guessed that."""
    return isinstance(error, OperationError) and error.noted in _GUESSED


class _Told(msgspec.Struct, array_like=True, frozen=True):
    """What nodes tell each other: a place has to wait for so many seconds."""

    place: str
    wait: float


_told = msgspec.msgpack.Decoder(_Told)
_encoder = msgspec.msgpack.Encoder()


async def open_lockouts(settings: Settings, database: Database, audit: AuditTrail, bus: Bus) -> Lockouts:
    """What the settings want; where there is a Redis, all nodes of this installation count together."""
    shared = None
    if settings.redis_url is not None:
        shared = RedisFailures(settings.redis_url, f"studio:{await installation_name(database)}")
    bounds = Bounds(
        settings.failed_credentials,
        settings.failed_credentials_of_name,
        settings.lockout_seconds,
        settings.longest_lockout,
    )
    return Lockouts(bounds, audit, bus, shared)


class Lockouts:
    """Who has to wait. One a node."""

    def __init__(
        self,
        bounds: Bounds,
        audit: AuditTrail,
        bus: Bus | None = None,
        shared: RedisFailures | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds
        self._audit = audit
        self._bus = bus
        self._shared = shared
        self._clock = clock
        self._places = FailureCounts(Patience(bounds.of_place, bounds.first, bounds.longest))
        self._names = FailureCounts(Patience(bounds.of_name, bounds.first, bounds.longest))
        self._locked: OrderedDict[str, float] = OrderedDict()
        # When the last of them has waited for long enough: before, and mostly, there is nothing to look for.
        self._all_free_at = -math.inf
        self._let_in: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()
        self._telling = TokenBucket(TOLD_RATE, TOLD_BURST, clock())
        self._tasks: set[asyncio.Task[None]] = set()
        # Credentials that were not looked at.
        self.refused = 0
        if bus is not None:
            bus.subscribe(CHANNEL, self)

    @contextlib.contextmanager
    def guarding(
        self, address: str | None, credential: str, is_guess: Callable[[Exception], bool] = is_wrong_credential
    ) -> Iterator[None]:
        """Looking at a credential from there; by what is raised within it is known whether it was a guess.

        Raises LockedOut instead, if it is not to be looked at.
        """
        mark = fingerprint(credential)
        self._check(address, mark)
        try:
            yield
        except Exception as error:
            if is_guess(error):
                self._failed(address, mark, name_in(credential))
            raise
        self.let_in(address, mark)

    def _check(self, address: str | None, mark: bytes) -> None:
        wait = self.wait(address, mark)
        if not wait:
            return
        self.refused += 1
        self._audit.refused(
            actor=None, action=AUTH_FAILED, target="", code=LOCKED_OUT, request_id="", address=place_of(address)
        )
        raise LockedOut(wait)

    def wait(self, address: str | None, mark: bytes) -> float:
        """For how many seconds a credential from there is not looked at; 0.0 if it is."""
        now = self._clock()
        if now >= self._all_free_at:
            return 0.0
        place = _place(address)
        until = self._locked.get(place, 0.0)
        if now >= until or (place, mark) in self._let_in:
            return 0.0
        return until - now

    def let_in(self, address: str | None, mark: bytes) -> None:
        """The credential was right."""
        known = (_place(address), mark)
        if known in self._let_in:
            self._let_in.move_to_end(known)
            return
        self._let_in[known] = None
        if len(self._let_in) > LET_IN:
            self._let_in.popitem(last=False)

    def _failed(self, address: str | None, mark: bytes, name: str | None) -> None:
        """`name` is whose a wrong credential claims to be, or how it begins."""
        place, now = _place(address), self._clock()
        if not place:
            return
        self._let_in.pop((place, mark), None)
        weight = self._weight(place, mark)
        name = None if name is None or weight < 1 else hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
        at_once = name is not None and self._names.add(name, weight, now) > 0
        wait = self._places.add(place, self._bounds.of_place if at_once else weight, now)
        is_told = self._telling.try_take(now)
        if wait:
            self._lock(place, wait, is_told=is_told)
        if is_told and self._shared is not None and self._shared.is_available:
            task = asyncio.create_task(self._count_together(self._shared, place, name, weight))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        if self._bus is not None:
            self._bus.unsubscribe(CHANNEL, self)
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._shared is not None:
            await self._shared.close()

    # What other nodes tell

    def received(self, message: bytes) -> None:
        try:
            told = _told.decode(message)
        except msgspec.MsgspecError:
            return
        self._hold(told.place, min(told.wait, self._bounds.longest))

    def resumed(self) -> None:
        """What was missed is heard of with the next failure from there, by the count that all share."""

    def _weight(self, place: str, mark: bytes) -> float:
        """Less for what the place has sent before."""
        sent = self._wrong.pop(place, ())
        self._wrong[place] = sent if mark in sent else (*sent[1 - REMEMBERED_OF_A_PLACE :], mark)
        if len(self._wrong) > MOST_KEYS:
            self._wrong.popitem(last=False)
        return REPEATED if mark in sent else 1.0

    async def _count_together(self, shared: RedisFailures, place: str, name: str | None, weight: float) -> None:
        try:
            wait = await shared.count(place, name, weight, self._bounds)
        except Unavailable:
            return
        if wait:
            self._lock(place, wait, is_told=True)

    def _lock(self, place: str, wait: float, *, is_told: bool) -> None:
        if not self._hold(place, wait):
            return
        self._audit.refused(actor=None, action=AUTH_LOCKED, target=place, code=LOCKED_OUT, request_id="", address=place)
        if is_told and self._bus is not None:
            self._bus.publish(CHANNEL, _encoder.encode(_Told(place, wait)))

    def _hold(self, place: str, wait: float) -> bool:
        """Whether the place did not have to wait so far."""
        now = self._clock()
        before = self._locked.pop(place, 0.0)
        self._locked[place] = max(before, now + wait)
        self._all_free_at = max(self._all_free_at, now + wait)
        if len(self._locked) > MOST_KEYS:
            self._locked.popitem(last=False)
        return before <= now


def _place(address: str | None) -> str:
    return place_of(address)[:_LONGEST_PLACE]
