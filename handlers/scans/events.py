"""What is told of a scan while it runs: a feed of its own, `scans.<id>`, in the source's workspace."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from handlers.feed_names import feed_of
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.scans.outcomes import DatasetOutcome, ScanError, ScanSummary
from handlers.scans.tasks import Progress
from storage.errors import StorageError
from storage.scans import Scan, ScanDataset

logger = logging.getLogger(__name__)

# Whoever watches sees two pictures of it a second; each is a commit.
PROGRESS_SECONDS = 0.5


def feed_name(scan_id: int) -> str:
    return f"scans.{scan_id}"


def add_started(outbox: Outbox, scan: Scan, datasets: int) -> None:
    data = {"scan_id": scan.id, "source_id": scan.source_id, "mode": scan.mode, "datasets": datasets}
    outbox.add(_feed(scan), "scan.started", data, actor=scan.created_by)


def add_dataset(outbox: Outbox, scan: Scan, dataset: ScanDataset, outcome: DatasetOutcome) -> None:
    error = {"code": outcome.error.code, "message": outcome.error.message} if outcome.error else None
    data: dict[str, Any] = {
        "scan_id": scan.id,
        "dataset": dataset.full_name[:500],
        "ordinal": dataset.ordinal,
        "state": outcome.state.value,
        "method": outcome.change.method if outcome.change else None,
        "rows": outcome.rows,
        "seconds": outcome.seconds,
        "said": outcome.said,
        "error": error,
    }
    outbox.add(_feed(scan), "scan.dataset", data)


def add_ended(outbox: Outbox, scan: Scan, state: str, summary: ScanSummary, error: ScanError | None) -> None:
    numbers = {name: getattr(summary, name) for name in ScanSummary.__struct_fields__}
    said = {"code": error.code, "message": error.message} if error else None
    kind = {"succeeded": "scan.finished", "failed": "scan.failed"}.get(state, f"scan.{state}")
    outbox.add(_feed(scan), kind, {"scan_id": scan.id, "state": state, "summary": numbers, "error": said})


class ProgressTeller:
    """Tells how far a dataset is, a few times a second at most; what comes in between is left out."""

    def __init__(self, parts: Parts, scan: Scan, dataset: ScanDataset) -> None:
        self._parts = parts
        self._scan = scan
        self._dataset = dataset
        self._latest: Progress | None = None
        self._task: asyncio.Task[None] | None = None

    def tell(self, progress: Progress) -> None:
        self._latest = progress
        if self._task is None:
            self._task = asyncio.create_task(self._publish())

    async def close(self) -> None:
        """Nothing is told after this."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _publish(self) -> None:
        while (progress := self._latest) is not None:
            self._latest = None
            data = {
                "scan_id": self._scan.id,
                "dataset": self._dataset.full_name[:500],
                "ordinal": self._dataset.ordinal,
                "rows": progress.rows,
                "rows_per_second": progress.rows_per_second,
                "percent": progress.percent,
            }
            try:
                async with self._parts.feeds.writing() as (_, outbox):
                    outbox.add(_feed(self._scan), "scan.progress", data)
            except StorageError as error:
                logger.warning("the progress of scan %s was not told: %s", self._scan.id, error)
            await asyncio.sleep(PROGRESS_SECONDS)
        self._task = None


def _feed(scan: Scan) -> str:
    return feed_of(scan.workspace_id, feed_name(scan.id))
