"""What is told of an audit while it runs, on a feed of its own in the source's workspace."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from connectors.security.check import CheckResult
from handlers.feed_names import feed_of
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.security.shapes import AuditError, AuditSummary, feed_name
from storage.errors import StorageError
from storage.security_scans import SecurityScan

logger = logging.getLogger(__name__)

# Whoever watches sees two pictures of it a second; each is a commit.
PROGRESS_SECONDS = 0.5


def add_started(outbox: Outbox, scan: SecurityScan, checks: int) -> None:
    data = {"scan_id": scan.id, "source_id": scan.source_id, "checks": checks}
    outbox.add(_feed(scan), "security.audit_started", data, actor=scan.created_by)


def add_ended(
    outbox: Outbox, scan: SecurityScan, state: str, summary: AuditSummary | None, error: AuditError | None
) -> None:
    data = {
        "scan_id": scan.id,
        "source_id": scan.source_id,
        "state": state,
        "summary": msgspec.to_builtins(summary),
        "error": msgspec.to_builtins(error),
    }
    outbox.add(_feed(scan), f"security.audit_{state}", data)


class Progress:
    """Tells how many checks were made, a few times a second at most."""

    def __init__(self, parts: Parts, scan: SecurityScan, total: int) -> None:
        self._parts, self._scan, self._total = parts, scan, total
        self._done = 0
        self._told_at = time.monotonic()

    async def note(self, result: CheckResult) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = now
        data = {"scan_id": self._scan.id, "check_id": result.check.id, "done": self._done, "total": self._total}
        try:
            async with asyncio.timeout(PROGRESS_SECONDS), self._parts.feeds.writing() as (_, outbox):
                outbox.add(_feed(self._scan), "security.audit_progress", data)
        except (StorageError, TimeoutError) as error:
            logger.warning("the progress of audit %s was not told: %s", self._scan.id, error)


def _feed(scan: SecurityScan) -> str:
    return feed_of(scan.workspace_id, feed_name(scan.id))
