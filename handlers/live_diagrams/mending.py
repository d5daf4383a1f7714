"""Edges that lead nowhere: the server removes them, and no client does.

Where somebody deletes a node that another draws an edge to, the edge is left. Clients that each removed it would race
with whoever undoes the deletion, which brings the edge back to life; so it is kept for a grace time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from pycrdt import Map

from crdt.room import AnyDoc

logger = logging.getLogger(__name__)


class DanglingEdges:
    """Knows since when edges dangle, and calls `remove` with those that have for the grace time.

    `dangling` says which do at this moment, `grace` how many seconds this node waits.
    """

    def __init__(
        self,
        dangling: Callable[[], Iterable[str]],
        remove: Callable[[list[str]], None],
        grace: Callable[[], float],
    ) -> None:
        self._dangling = dangling
        self._remove = remove
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._since: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def found(self, edges: Iterable[str]) -> None:
        """These edges dangle, and no others."""
        now = self._loop.time()
        self._since = {edge: self._since.get(edge, now) for edge in edges}
        if self._since and self._timer is None:
            self._timer = self._loop.call_at(min(self._since.values()) + self._grace(), self._remove_due)

    def _remove_due(self) -> None:
        self._timer = None
        try:
            self.found(self._dangling())
            latest = self._loop.time() - self._grace()
            if due := [edge for edge, since in self._since.items() if since <= latest]:
                self._remove(due)
        except Exception:
            logger.exception("edges that lead nowhere could not be removed")

    def remove_all(self) -> None:
        """Nobody is left who could undo anything."""
        if edges := list(self._dangling()):
            self._remove(edges)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def removal(edges: Iterable[str]) -> Callable[[AnyDoc], None]:
    """The edit that removes these edges as far as they are there."""

    def edit(doc: AnyDoc) -> None:
        drawn: Map[object] = doc.get("edges", type=Map)
        for edge in edges:
            if edge in drawn:
                del drawn[edge]

    return edit
