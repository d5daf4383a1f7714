"""Who did what, and who was refused: the way into the append-only, hash-chained audit table.

A state change writes its row in its own transaction with `record`: either both are there or neither. Refusals and
sign-ins change nothing, so they are gathered for a second, repeats counted, and written in one transaction; how many
rows refusals may become is bounded (see `audit_pacing`). What is read is counted, too (see `audit_tallies`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.audit_pacing import ANONYMOUS, Kind, Pacing
from handlers.audit_tallies import MISSED, Tallies, Tally
from handlers.registry import Context
from storage import audit
from storage.database import Database

logger = logging.getLogger(__name__)

DONE = "done"
REFUSED = "refused"
SIGN_IN = "sign_in"
# Credentials that do not hold, wherever they are sent: the target is the operation that was asked for.
AUTH_FAILED = "auth.failed"
# So many came from a place that it has to wait.
AUTH_LOCKED = "auth.locked"
# Reasons of refusals of which the caller is told no more than that the credential is refused.
KEY_REVOKED = "key_revoked"
KEY_EXPIRED = "key_expired"
TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a word
# Not looked at: too many wrong ones came from there.
LOCKED_OUT = "locked_out"
# Reasons of refusals of what somebody may have guessed.
WRONG_CREDENTIAL = frozenset({"invalid_token", "invalid_grant", "unknown_user", "deactivated"})

# What a stranger can make the server write is bounded: names are cut.
_MAX_TARGET = 300
_LONGEST_ACCOUNT = 200
# What goes beyond somebody's allowance of rows is written so long after the first of it came.
_GATHERED_FOR = timedelta(minutes=1)
# How often it is looked for what is to be written because its time is over.
_LOOK_SECONDS = 60.0


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


@dataclass(slots=True)
class _Tally:
    first_at: datetime
    request_id: str
    count: int = 0


def _plain(target: str) -> str:
    """A target that strangers may have made up, as any database takes it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in target[:_MAX_TARGET])


def _given(**details: str) -> dict[str, str]:
    return {name: value for name, value in details.items() if value}


class AuditTrail:
    """Gathers refusals and sign-ins; `run` writes them until it is cancelled, `close` writes the rest."""

    def __init__(self, database: Database, now: Callable[[], datetime], *, interval: float = 1.0) -> None:
        self._database = database
        self._now = now
        self._interval = interval
        self._pacing = Pacing(now)
        self._tallies = Tallies(now)
        # Those that could not be written.
        self._left: list[Tally] = []
        self._waiting: dict[Kind, _Tally] = {}
        self._something_waits = asyncio.Event()
        self._writing = asyncio.Lock()

    def refused(
        self,
        *,
        actor: str | None,
        action: str,
        target: str,
        code: str,
        request_id: str,
        address: str | None = None,
        account: str | None = None,
    ) -> None:
        """Somebody was told that they may not: `code` is the error's code, `address` where they ask from.

        `account` is whose the credential claims to be, where that is why nobody knows who the actor is.
        """
        if actor is None and code in WRONG_CREDENTIAL:
            # Guesses at many things are one row.
            action, target = AUTH_FAILED, action
        claimed = _plain(account or "")[:_LONGEST_ACCOUNT]
        kind = Kind(actor or ANONYMOUS, action, _plain(target), REFUSED, code, address or "", claimed)
        self._count(self._pacing.narrowed(kind, self._waiting), request_id)

    def signed_in(self, *, user_id: str, via: str, request_id: str, address: str | None = None) -> None:
        """Somebody was let in by a credential of the kind `via`."""
        self._count(Kind(user_id, SIGN_IN, user_id, DONE, via, address or ""), request_id)

    def read(self, *, user_id: str, workspace_id: str | None, operation: str, things: int) -> None:
        """Somebody was given so many things of a workspace, where one is known."""
        if self._tallies.read(user_id, workspace_id or "", operation, things):
            self._something_waits.set()

    def missed(self, *, user_id: str, operation: str, target: str) -> None:
        """Somebody asked for what is not there, or not to be known."""
        if self._tallies.missed(user_id, operation, _plain(target)):
            self._something_waits.set()

    async def run(self) -> None:
        """Writes what is due, an interval after the first of it came; never ends by itself."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._something_waits.wait()
            await asyncio.sleep(self._interval)
            try:
                await self.write_due()
            except Exception:
                # Kept and tried again: the rows are bounded, and requests must go on being answered.
                logger.exception("audit rows could not be written and wait")

    async def write_due(self) -> None:
        """Writes what waits, but for what is gathered until its minute is over."""
        ended = self._now() - _GATHERED_FOR
        self._left += self._tallies.taken()
        await self._write_some(lambda kind, tally: not kind.is_gathered or tally.first_at <= ended)

    async def flush(self) -> None:
        """Writes all that waits in one transaction, tallies that are no row yet aside.

        What could not be written goes on waiting.
        """
        self._left += self._tallies.taken()
        await self._write_some(lambda *_: True)

    async def close(self) -> None:
        """Writes what still waits, and all tallies; call once `run` is cancelled and no request is under way."""
        self._left += self._tallies.taken(everything=True)
        await self.flush()

    async def _write_some(self, is_due: Callable[[Kind, _Tally], bool]) -> None:
        async with self._writing:
            taken = {kind: tally for kind, tally in self._waiting.items() if is_due(kind, tally)}
            for kind in taken:
                del self._waiting[kind]
            used, self._left = self._left, []
            if not self._waiting:
                self._something_waits.clear()
            try:
                await self._write(taken, used)
            except BaseException:
                for kind, tally in taken.items():
                    self._add(kind, tally)
                self._left = used + self._left
                self._something_waits.set()
                raise

    async def _write(self, tallies: dict[Kind, _Tally], used: list[Tally]) -> None:
        if not tallies and not used:
            return
        async with self._database.write() as connection:
            for row in used:
                outcome = REFUSED if row.action == MISSED else DONE
                await audit.append(connection, outcome=outcome, **row._asdict())
            for kind, tally in tallies.items():
                details = {"reason": kind.reason, "count": tally.count, "request_id": tally.request_id}
                await audit.append(
                    connection,
                    at=tally.first_at,
                    actor=kind.actor,
                    action=kind.action,
                    target=kind.target,
                    outcome=kind.outcome,
                    details=details | _given(address=kind.address, account=kind.account),
                )

    def _count(self, kind: Kind, request_id: str) -> None:
        self._add(kind, _Tally(self._now(), request_id, count=1))

    def _add(self, kind: Kind, tally: _Tally) -> None:
        held = self._waiting.get(kind)
        if held is None:
            self._waiting[kind] = tally
        else:
            held.first_at = min(held.first_at, tally.first_at)
            held.count += tally.count
        self._something_waits.set()
