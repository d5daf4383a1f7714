"""How scans end: by themselves, cancelled, or found without anybody who goes on with them."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.attention import attention
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.scans.events import add_ended
from handlers.scans.outcomes import DatasetOutcome, ScanError, ScanSummary, summary_of
from storage import runs, scans
from storage.errors import StorageError
from storage.scans import Scan

logger = logging.getLogger(__name__)

# Without a word of a run or a scan, of which an ended one gives several at once.
LOOK_SECONDS = 10.0
PAUSE_SECONDS = 1.0
AT_ONCE = 100
_LOST = ScanError(code="lost", message="Nobody goes on with this scan: its run is gone.")


async def end_scan(
    connection: AsyncConnection, outbox: Outbox, scan: Scan, state: str, error: ScanError | None, *, at: datetime
) -> ScanSummary:
    """Ends a scan in the caller's transaction, and tells what it came to. One that has ended stays as it is."""
    outcomes = [msgspec.json.decode(one, type=DatasetOutcome) for one in await scans.outcomes(connection, scan.id)]
    counts = (await scans.counts(connection, [scan.id])).get(scan.id, {})
    summary = summary_of(outcomes, counts)
    if error is not None:
        await scans.blame(connection, scan.id, error.code, error.message)
    if await scans.end(connection, scan.id, state, msgspec.json.encode(summary).decode(), at=at):
        add_ended(outbox, scan, state, summary, error)
    return summary


async def end_abandoned(parts: Parts, *, source_id: int | None = None) -> int:
    """Ends the scans whose run was cancelled, failed or is gone: as the run did. How many there were."""
    async with parts.database.read() as connection:
        found = await scans.abandoned(connection, source_id=source_id, limit=AT_ONCE)
    for scan in found:
        async with parts.feeds.writing() as (connection, outbox):
            run = await runs.get(connection, scan.run_id)
            state, error = _as_run(scan, run)
            await end_scan(connection, outbox, scan, state, error, at=datetime.now(UTC))
    return len(found)


def _as_run(scan: Scan, run: runs.Run | None) -> tuple[str, ScanError | None]:
    if run is None:
        return runs.FAILED, _LOST
    if run.state == runs.CANCELLED:
        return runs.CANCELLED, None
    code, message = scan.error_code or run.error_code, scan.error_message or run.error_message
    return runs.FAILED, ScanError(code=code, message=message or "") if code else _LOST


async def keep_scans(parts: Parts) -> None:
    """The service: scans that nobody goes on with are ended, until it is cancelled."""
    with attention(parts.changes, "runs", "scans") as news:
        while True:
            try:
                await end_abandoned(parts)
            except StorageError as error:
                logger.warning("scans cannot be looked at, trying again: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)
            await news.wait(LOOK_SECONDS)
