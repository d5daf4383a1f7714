"""Who did what, and who was refused: the way into the append-only, hash-chained audit table.

A state change writes its row in its own transaction with `record`: either both are there or neither. Refusals and
sign-ins change nothing, so they are gathered for a second, repeats counted, and written in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.registry import Context
from storage import audit
from storage.database import Database

logger = logging.getLogger(__name__)

DONE = "done"
REFUSED = "refused"
SIGN_IN = "sign_in"

ANONYMOUS = "anonymous"
ANY_TARGET = "*"

# What a stranger can make the server write is bounded: names are cut, and past this many kinds a flush only counts.
_MAX_TARGET = 300
_MAX_KINDS = 64


async def record(
    connection: AsyncConnection, context: Context, action: str, target: str, details: dict[str, Any] | None = None
) -> None:
    """Writes the audit row of a state change into the transaction that makes the change."""
    principal = context.principal
    await audit.append(
        connection,
        at=context.now(),
        actor=principal.user_id if principal else ANONYMOUS,
        action=action,
        target=target,
        outcome=DONE,
        details={"via": principal.via if principal else None, "request_id": context.request_id, **(details or {})},
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    actor: str
    action: str
    target: str
    outcome: str
    reason: str


@dataclass(slots=True)
class _Tally:
    first_at: datetime
    request_id: str
    count: int = 0


def _plain(target: str) -> str:
    """A target that strangers may have made up, as any database takes it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in target[:_MAX_TARGET])


class AuditTrail:
    """Gathers refusals and sign-ins; `run` writes them until it is cancelled, `close` writes the rest."""

    def __init__(self, database: Database, now: Callable[[], datetime], *, interval: float = 1.0) -> None:
        self._database = database
        self._now = now
        self._interval = interval
        self._waiting: dict[_Kind, _Tally] = {}
        self._something_waits = asyncio.Event()
        self._writing = asyncio.Lock()

    def refused(self, *, actor: str | None, action: str, target: str, code: str, request_id: str) -> None:
        """Somebody was told that they may not: `code` is the error's code."""
        self._count(_Kind(actor or ANONYMOUS, action, _plain(target), REFUSED, code), request_id)

    def signed_in(self, *, user_id: str, via: str, request_id: str) -> None:
        """Somebody was let in by a credential of the kind `via`."""
        self._count(_Kind(user_id, SIGN_IN, user_id, DONE, via), request_id)

    async def run(self) -> None:
        """Writes what waits, an interval after the first of it came; never ends by itself."""
        while True:
            await self._something_waits.wait()
            await asyncio.sleep(self._interval)
            try:
                await self.flush()
            except Exception:
                # Kept and tried again: the rows are bounded, and requests must go on being answered.
                logger.exception("audit rows could not be written and wait")

    async def flush(self) -> None:
        """Writes all that waits in one transaction; what could not be written goes on waiting."""
        async with self._writing:
            taken, self._waiting = self._waiting, {}
            self._something_waits.clear()
            try:
                await self._write(taken)
            except BaseException:
                for kind, tally in taken.items():
                    self._add(kind, tally)
                raise

    async def close(self) -> None:
        """Writes what still waits; call once `run` is cancelled and no request is under way."""
        await self.flush()

    async def _write(self, tallies: dict[_Kind, _Tally]) -> None:
        if not tallies:
            return
        async with self._database.write() as connection:
            for kind, tally in tallies.items():
                await audit.append(
                    connection,
                    at=tally.first_at,
                    actor=kind.actor,
                    action=kind.action,
                    target=kind.target,
                    outcome=kind.outcome,
                    details={"reason": kind.reason, "count": tally.count, "request_id": tally.request_id},
                )

    def _count(self, kind: _Kind, request_id: str) -> None:
        self._add(kind, _Tally(self._now(), request_id, count=1))

    def _add(self, kind: _Kind, tally: _Tally) -> None:
        if kind not in self._waiting and len(self._waiting) >= _MAX_KINDS:
            kind = _Kind(kind.actor, kind.action, ANY_TARGET, kind.outcome, kind.reason)
        held = self._waiting.get(kind)
        if held is None:
            self._waiting[kind] = tally
        else:
            held.first_at = min(held.first_at, tally.first_at)
            held.count += tally.count
        self._something_waits.set()
