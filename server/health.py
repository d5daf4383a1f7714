"""Is the process alive, and can it do its work: for load balancers and supervisors, without a credential."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handlers.parts import Parts

logger = logging.getLogger(__name__)

# Balancers wait a few seconds for an answer; a database that takes this long serves nobody.
DATABASE_SECONDS = 2.0
# A commit takes some milliseconds; what waits for this long is tried again and again.
STORING_SECONDS = 10.0

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
_LEVELS = {OK: logging.INFO, DEGRADED: logging.WARNING, FAILED: logging.WARNING}


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found. Degraded: something is amiss, and the node does its work all the same."""

    status: str
    reason: str | None = None

    def shown(self) -> dict[str, str]:
        return {"status": self.status} | ({"reason": self.reason} if self.reason else {})


class Readiness:
    """Looks at everything a node needs. `found` is what the last look found, by name."""

    def __init__(self, parts: Parts, is_draining: Callable[[], bool]) -> None:
        self._parts = parts
        self._is_draining = is_draining
        self._probe: asyncio.Task[Check] | None = None
        # The tasks without which nothing works; None until they were started.
        self.essential: Sequence[asyncio.Task[Any]] | None = None
        self.found: dict[str, Check] = {}

    @property
    def is_ready(self) -> bool:
        """Whether work should be sent here, as of the last look."""
        return bool(self.found) and all(check.status != FAILED for check in self.found.values())

    async def look(self) -> None:
        """Look at everything, in little more than two seconds at most."""
        found = {
            "database": await self._database(),
            "draining": self._draining(),
            "tasks": self._tasks(),
            "bus": self._bus(),
            "log": self._log(),
        }
        before, self.found = self.found, found
        for name, check in self.found.items():
            if check.status != before.get(name, Check(OK)).status:
                logger.log(_LEVELS[check.status], "%s: %s", name, check.reason or "well again")

    async def _database(self) -> Check:
        # Shared by all who ask meanwhile, and left behind at the deadline: a connection that hangs may also hang
        # when it is given up.
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask_database())
        done, _ = await asyncio.wait([self._probe], timeout=DATABASE_SECONDS)
        if not done or self._probe.cancelled():
            self._probe.cancel()
            return Check(FAILED, f"the database does not answer within {DATABASE_SECONDS:g} s")
        return self._probe.result()

    async def _ask_database(self) -> Check:
        try:
            async with self._parts.database.read() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:
            # Where it is and why it fails is for the log, once: anybody may ask this, and often.
            known = self.found.get("database", Check(OK)).status == FAILED
            logger.log(logging.DEBUG if known else logging.WARNING, "the database does not answer: %s", error)
            return Check(FAILED, "the database does not answer")
        return Check(OK)

    def _draining(self) -> Check:
        return Check(FAILED, "the server is stopping") if self._is_draining() else Check(OK)

    def _tasks(self) -> Check:
        if self.essential is None:
            return Check(FAILED, "the server is starting")
        ended = [task.get_name() for task in self.essential if task.done()]
        return Check(FAILED, f"ended: {', '.join(ended)}") if ended else Check(OK)

    def _bus(self) -> Check:
        if self._parts.bus.is_connected:
            return Check(OK)
        return Check(DEGRADED, "the bus cannot be reached; other nodes are heard of through the database")

    def _log(self) -> Check:
        _, oldest = self._parts.rooms.writer.backlog()
        if oldest is None or (waited := time.time() - oldest / 1e6) < STORING_SECONDS:
            return Check(OK)
        return Check(DEGRADED, f"updates have been waiting to be stored for {waited:.0f} s")

    def close(self) -> None:
        """Ask nobody any more."""
        if self._probe is not None:
            self._probe.cancel()


def health_routes(parts: Parts, readiness: Readiness) -> list[Route]:
    """`/health`: the process lives and its loop turns. `/ready`: it can do its work; each check is told by name."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NOT_KEPT)

    async def ready(_: Request) -> Response:
        await readiness.look()
        body = {
            "status": _summary(readiness),
            "rooms": parts.rooms.open_count,
            "checks": {name: check.shown() for name, check in readiness.found.items()},
        }
        return JSONResponse(body, 200 if readiness.is_ready else 503, headers=_NOT_KEPT)

    return [Route("/health", health), Route("/ready", ready)]


_NOT_KEPT = {"Cache-Control": "no-store"}


def _summary(readiness: Readiness) -> str:
    if not readiness.is_ready:
        return "unavailable"
    return "ready" if all(check.status == OK for check in readiness.found.values()) else "degraded"


def root_route() -> Route:
    """`/` leads to the documentation."""

    async def root(_: Request) -> Response:
        return RedirectResponse("/docs")

    return Route("/", root)
