"""A node's way out: it is not ready any more, parts its connections a few at a time, stores, and is gone in time."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from handlers.audit_trail import AuditTrail
from handlers.rooms import Rooms
from server.transport import Transport
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# So many clients that come back at once are no burden to anybody; more are parted a few at a time.
AT_ONCE = 100
STEP_SECONDS = 0.1
# Of the time for parting, what load balancers have to see that this node is not ready, before the first is parted.
NOTICE = 0.1
# Of the time for stopping: until when requests may finish, until when everything must be stored and audited, and when
# a process that still has not ended is ended. The rest is what the operating system needs.
REQUESTS, STORED, AUDITED, GONE = 0.5, 0.8, 0.85, 0.95
# Of the documents that could not be stored, so many are named in the log's line.
MOST_NAMED = 20


class Departure:
    """When a node began to leave, how long it may still take for what, and what it could not store."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began_at: float | None = None
        # Set once the node leaves: for whatever would otherwise go on for ever.
        self.begun = asyncio.Event()
        # Updates that were accepted and not stored, by document; nobody was told that they are.
        self.unstored: dict[str, int] = {}
        self.unaudited = False

    def begin(self) -> None:
        """From here on time counts. Safe to call again."""
        if self._began_at is None:
            self._began_at = self._clock()
            self.begun.set()

    def left(self, share: float) -> float:
        """Seconds until this share of the time is over; it begins now if it has not."""
        self.begin()
        assert self._began_at is not None
        return max(0.0, self._began_at + share * self.seconds - self._clock())

    @property
    def exit_code(self) -> int:
        """1 if something that was accepted is lost, unless clients still have it."""
        return 1 if self.unstored or self.unaudited else 0

    def end_in_any_case(self, end: Callable[[int], object] = os._exit) -> None:
        """Whatever hangs, the process is gone in time. Called once the departure has begun."""

        def give_up() -> None:
            logger.error("the server did not end by itself within %g s and is ended", self.seconds)
            end(1)

        timer = threading.Timer(self.left(GONE), give_up)
        timer.daemon = True
        timer.start()


async def part_connections(
    sockets: Iterable[Transport],
    seconds: float,
    *,
    has_others: bool = False,
    clock: Callable[[], float] = time.monotonic,
    chance: random.Random | None = None,
) -> int:
    """Tell every connection to come back, and close it; how many there were.

    Where there are other nodes, `has_others`, load balancers are first left the time to see that this one is not ready.
    Few connections are then parted at once. Many are spread evenly over the time, in random order and in uneven steps:
    their clients come back after a fixed pause, and must not all come at the same moment.
    """
    waiting = [socket for socket in sockets if not socket.closing]
    if len(waiting) <= AT_ONCE:
        if has_others:
            await asyncio.sleep(seconds * NOTICE)
        return _part(waiting)
    chance = chance or random.Random()  # noqa: S311 - spreads load, hides nothing
    chance.shuffle(waiting)
    ends_at, pause, parted = clock() + seconds, seconds * NOTICE, 0
    while waiting:
        await asyncio.sleep(pause)
        steps = max(1, round((ends_at - clock()) / STEP_SECONDS))
        size = math.ceil(len(waiting) / steps)
        parted += _part(waiting[:size])
        del waiting[:size]
        pause = STEP_SECONDS * chance.uniform(0.5, 1.5)
    return parted


async def store_everything(rooms: Rooms, departure: Departure) -> None:
    """Store what was accepted, while there is time; what is left over is told, and noted in the departure."""
    try:
        async with asyncio.timeout(departure.left(STORED)):
            await rooms.close()
    except TimeoutError:
        departure.unstored = rooms.unstored()
        _tell_unstored(departure.unstored)


def _tell_unstored(unstored: Mapping[str, int]) -> None:
    if unstored:
        logger.error(
            "the server stops and %d updates of %d documents could not be stored; nobody was told that they are: %s",
            sum(unstored.values()),
            len(unstored),
            ", ".join(f"{name} ({count})" for name, count in list(unstored.items())[:MOST_NAMED]),
        )


async def close_audit(audit: AuditTrail, departure: Departure) -> None:
    """Write what the audit trail still gathers, while there is time."""
    try:
        async with asyncio.timeout(departure.left(AUDITED)):
            await audit.close()
    except (TimeoutError, StorageError) as error:
        departure.unaudited = True
        why = str(error) or "the database does not answer"
        logger.error("the last sign-ins and refusals could not be written to the audit trail: %s", why)  # noqa: TRY400


def _part(sockets: Iterable[Transport]) -> int:
    parted = 0
    for socket in sockets:
        if not socket.closing:
            socket.shutdown()
            parted += 1
    return parted
