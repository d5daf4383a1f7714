"""How audits end that do not end by themselves, and acceptances that run out."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.attention import attention
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.security.alerting import raise_alerts
from handlers.security.events import add_ended
from handlers.security.excepting import open_again
from handlers.security.shapes import AuditError
from storage import runs, security_findings, security_scans
from storage.errors import StorageError
from storage.security_scans import SecurityScan

logger = logging.getLogger(__name__)

# Without a word of a run or an audit.
LOOK_SECONDS = 10.0
PAUSE_SECONDS = 1.0
_LOST = AuditError(code="lost", message="Nobody goes on with this audit: its run is over.")


async def end_unfinished(
    connection: AsyncConnection,
    outbox: Outbox,
    scan: SecurityScan,
    state: str,
    error: AuditError | None,
    *,
    at: datetime,
) -> bool:
    """Ends an audit that found nothing to be told, in the caller's transaction. Whether it had not ended before."""
    said = (error.code, error.message) if error else None
    ended = await security_scans.end(connection, scan.id, state, at=at, error=said)
    if ended:
        add_ended(outbox, scan, state, None, error)
    return ended


async def end_abandoned(parts: Parts, *, source_id: int | None = None) -> int:
    """Ends the audits whose run is over without them: cancelled as it was, otherwise failed. How many there were."""
    async with parts.database.read() as connection:
        found = await security_scans.abandoned(connection, source_id=source_id)
    for scan in found:
        async with parts.feeds.writing() as (connection, outbox):
            run = await runs.get(connection, scan.run_id)
            state, error = _as_run(run)
            await end_unfinished(connection, outbox, scan, state, error, at=datetime.now(UTC))
    return len(found)


def _as_run(run: runs.Run | None) -> tuple[str, AuditError | None]:
    if run is not None and run.state == runs.CANCELLED:
        return runs.CANCELLED, None
    if run is not None and run.error_code:
        return runs.FAILED, AuditError(code=run.error_code, message=run.error_message or "")
    return runs.FAILED, _LOST


async def end_acceptances(parts: Parts, *, at: datetime) -> int:
    """Risks that were accepted until now are open findings again. How many there were."""
    async with parts.feeds.writing() as (connection, outbox):
        over = await security_findings.expired(connection, at=at)
        opened = await open_again(connection, outbox, over, "acceptance_ended", at=at)
        for workspace_id in {one.workspace_id for one in opened}:
            await raise_alerts(connection, outbox, [one for one in opened if one.workspace_id == workspace_id], at=at)
    return len(over)


async def keep_audits(parts: Parts) -> None:
    """The service: audits that nobody goes on with are ended, and acceptances in their time, until it is cancelled."""
    with attention(parts.changes, "runs", "security") as news:
        while True:
            try:
                await end_abandoned(parts)
                await end_acceptances(parts, at=datetime.now(UTC))
            except StorageError as error:
                logger.warning("audits cannot be looked at, trying again: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)
            await news.wait(LOOK_SECONDS)
