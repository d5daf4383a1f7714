"""What is told of analyses while they run: a feed for each dataset, `analytics.<id>`, in its workspace."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec

from handlers.analytics.tasks import Task, Told
from handlers.computations import Progress
from handlers.feed_names import feed_of
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.policy_views import TOPIC as POLICIES
from handlers.registry import Watched
from storage.catalog import Dataset
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# Whoever watches sees two pictures of it a second; each is a commit. What is over sooner than a second tells nothing.
PROGRESS_SECONDS = 0.5
QUIET_SECONDS = 1.0
TOPIC = "analytics"


# What makes an answer stale; besides, the source is asked now and then while somebody watches.
_TOPICS = frozenset({TOPIC, "catalog", "scans", "data_sources", POLICIES})
WATCH_SECONDS = 10.0
# What is another each time though the answer is the same.
_PASSING = frozenset({"computed_at", "seconds", "cached", "result_id", "progress"})


def watched(request: type[msgspec.Struct]) -> Watched:
    """How questions about a dataset are watched."""
    assert "dataset_id" in request.__struct_fields__
    return Watched(
        _TOPICS,
        passing=_PASSING,
        refresh_seconds=WATCH_SECONDS,
        is_personal=True,
        subject=lambda question: subject_of(question.dataset_id),
    )


def watched_list() -> Watched:
    """How lists of stored answers are watched."""
    return Watched(frozenset({TOPIC}), is_personal=True)


def feed_name(dataset_id: int) -> str:
    return f"analytics.{dataset_id}"


def subject_of(dataset_id: int) -> str:
    return f"dataset:{dataset_id}"


def add_finished(outbox: Outbox, dataset: Dataset, data: dict[str, Any], actor: str) -> None:
    outbox.add(_feed(dataset), "analytics.finished", {"dataset_id": dataset.id, **data}, actor=actor)


def add_verdict(outbox: Outbox, dataset: Dataset, data: dict[str, Any], actor: str) -> None:
    outbox.add(_feed(dataset), "analytics.verdict", {"dataset_id": dataset.id, **data}, actor=actor)


class Teller:
    """Notes how far a computation is, and tells it."""

    def __init__(self, parts: Parts, dataset: Dataset, task: Task, key: str, progress: Progress) -> None:
        self._parts = parts
        self._dataset = dataset
        self._task = task
        self._key = key
        self._progress = progress
        self._began = time.monotonic()
        self._publishing: asyncio.Task[None] | None = None
        self._is_new = False

    def tell(self, told: Told) -> None:
        self._progress.share, self._progress.note = told.share, told.note
        self._is_new = True
        if self._publishing is None and time.monotonic() - self._began > QUIET_SECONDS:
            self._publishing = asyncio.create_task(self._publish())

    async def close(self) -> None:
        """Nothing is told after this."""
        task, self._publishing = self._publishing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _publish(self) -> None:
        while self._is_new:
            self._is_new = False
            data = {
                "dataset_id": self._dataset.id,
                "kind": self._task.kind.value,
                "key": self._key,
                "share": self._progress.share,
                "note": self._progress.note,
            }
            try:
                async with self._parts.feeds.writing() as (_, outbox):
                    outbox.add(_feed(self._dataset), "analytics.progress", data)
            except StorageError as error:
                logger.warning("the progress of an analysis of dataset %s was not told: %s", self._dataset.id, error)
            await asyncio.sleep(PROGRESS_SECONDS)
        self._publishing = None


def _feed(dataset: Dataset) -> str:
    return feed_of(dataset.workspace_id, feed_name(dataset.id))
