"""What a diagram that people edit names outside of itself, looked up when that changes, and anew while they edit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from analysis.workflow.references import Reference
from handlers.live_diagrams.workflow_checks import WorkflowChecks
from handlers.parts import Parts
from handlers.workflow_references import look_up
from storage import documents, workflows
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# Data sources and people come and go; publishing looks in any case.
ANEW_SECONDS = 10.0


class LookingUp:
    """Of one diagram. `on_found` is called after the checks were told something new."""

    def __init__(self, parts: Parts, row_id: int, checks: WorkflowChecks, on_found: Callable[[], object]) -> None:
        self._parts = parts
        self._row_id = row_id
        self._checks = checks
        self._on_found = on_found
        self._loop = asyncio.get_running_loop()
        self._known: frozenset[Reference] | None = None
        self._known_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def validated(self) -> None:
        """Called after each look at the diagram."""
        if self._task is not None:
            return
        named = self._checks.named
        if named and (named != self._known or self._loop.time() - self._known_at >= ANEW_SECONDS):
            self._task = self._loop.create_task(self._look_up(named))
            self._task.add_done_callback(self._done)

    async def _look_up(self, named: frozenset[Reference]) -> None:
        form = self._checks.naming()
        async with self._parts.database.read() as connection:
            document = await documents.get_by_id(connection, self._row_id)
            if document is None:
                return
            workflow = await workflows.of_document(connection, self._row_id)
            found = await look_up(connection, document.workspace_id, workflow.id if workflow else None, form)
        self._known, self._known_at = named, self._loop.time()
        if self._checks.take(found):
            self._on_found()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StorageError):
            logger.warning("what document %d names could not be looked up: %s", self._row_id, error)
        elif error is not None:
            logger.error("what document %d names could not be looked up", self._row_id, exc_info=error)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
