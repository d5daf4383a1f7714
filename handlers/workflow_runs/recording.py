"""What a run's nodes are doing, for whoever watches: rows, and events on the run's feed, a few times a second.

The engine's records say what was done; this is a picture of them, which an attempt draws anew from its beginning.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from typing import Any

from handlers.feed_names import feed_of
from handlers.parts import Parts
from storage import workflow_runs
from storage.errors import StorageError
from storage.workflow_runs import NodeRow

logger = logging.getLogger(__name__)

# Whoever watches a canvas sees it at once; a node that takes a millisecond costs no commit of its own.
PAUSE_SECONDS = 0.1
# An event has at most 64 KiB, and of a node only where it is.
NODES_AN_EVENT = 200
_PLAIN = re.compile(r"[a-z0-9]{1,48}")


def feed_name(run_id: str) -> str:
    """The feed of a run, within its workspace: its id, or where that has other letters than feeds may, its digest."""
    is_plain = _PLAIN.fullmatch(run_id) is not None
    return f"workflow.runs.{run_id if is_plain else hashlib.sha256(run_id.encode()).hexdigest()[:24]}"


class Recorder:
    """For the server's loop."""

    def __init__(self, parts: Parts, run_id: str, workspace_id: str, attempt: int) -> None:
        self._parts = parts
        self._run_id = run_id
        self._workspace_id = workspace_id
        self._attempt = attempt
        self._news: dict[str, NodeRow] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, rows: Sequence[NodeRow]) -> None:
        """These nodes are doing this now."""
        for row in rows:
            self._news.pop(row.place, None)
            self._news[row.place] = row
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_now_and_then())

    async def close(self, state: str) -> None:
        """All that was noted is written, and that the run has ended like this."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait((self._writing,))
        await self._write(state)

    async def _write_now_and_then(self) -> None:
        while self._news:
            try:
                await self._write(None)
            except StorageError as error:
                logger.warning("what the run %s does cannot be told now: %s", self._run_id, error)
            await asyncio.sleep(PAUSE_SECONDS)
        self._writing = None

    async def _write(self, state: str | None) -> None:
        rows = list(self._news.values())
        feed = feed_of(self._workspace_id, feed_name(self._run_id))
        async with self._parts.feeds.writing() as (connection, outbox):
            if not await workflow_runs.put_nodes(connection, self._run_id, self._attempt, rows):
                self._news.clear()
                return
            for start in range(0, len(rows), NODES_AN_EVENT):
                nodes = [_told(row) for row in rows[start : start + NODES_AN_EVENT]]
                outbox.add(feed, "workflow.nodes", {"run_id": self._run_id, "nodes": nodes})
            if state is not None:
                outbox.add(feed, "workflow.run", {"run_id": self._run_id, "state": state})
        # Of what came meanwhile nothing is lost, nor of what could not be written.
        for row in rows:
            if self._news.get(row.place) is row:
                del self._news[row.place]


def _told(row: NodeRow) -> dict[str, Any]:
    return {
        "place": row.place,
        "node": row.node,
        "state": row.state,
        "attempts": row.attempts,
        "port": row.port,
        "error": row.error_code,
    }
