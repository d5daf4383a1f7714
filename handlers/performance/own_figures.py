"""The server's own figures as measurements of the source 0: those of /metrics, of each process that serves."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector

from connectors.performance.epochs import Standing, follow
from connectors.performance.figures import COUNTER, GAUGE, Figure, FigureGroup, Labels, Visit
from handlers import measurements
from handlers.performance.sample_columns import Columns
from storage.errors import StorageError

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from handlers.parts import Parts

logger = logging.getLogger(__name__)

SECONDS = 10.0
_COUNTED = ("counter", "histogram")
# Of each of a hundred operations: their sum and count are enough for a mean.
_APART = "operation"


async def keep_own_figures(
    parts: Parts, collect: Callable[[], Iterable[Metric]], process: str, *, seconds: float = SECONDS
) -> None:
    """The service: stores the figures at whole multiples of `seconds` until it is cancelled.

    `collect` is called on the event loop. `process` is what this process is called, also after it has started anew:
    the value of the label `node`.
    """
    own = OwnFigures(parts, collect, process, int(seconds * 1000))
    while True:
        await asyncio.sleep(seconds - time.time() % seconds)
        try:
            await own.store(int(time.time() * 1000))
        except StorageError as error:
            logger.warning("the server's own figures could not be stored: %s", error)


class OwnFigures:
    """What this process has counted since it began."""

    def __init__(self, parts: Parts, collect: Callable[[], Iterable[Metric]], process: str, interval_ms: int) -> None:
        self._parts = parts
        self._collect = collect
        self._interval_ms = interval_ms
        self._node = ("node", process)
        self._epoch = str(time.time_ns())
        self._of_process = ProcessCollector(registry=CollectorRegistry())
        self._standing: Standing | None = None
        self._columns = Columns()
        self._labels: dict[tuple[tuple[str, str], ...], Labels] = {}

    async def store(self, at_ms: int) -> None:
        """Stores the figures as of now. Raises StorageError."""
        families = [*self._collect(), *await asyncio.to_thread(lambda: list(self._of_process.collect()))]
        group = FigureGroup("own", self._epoch, list(self._figures(families)))
        followed = follow(self._standing, Visit(at_ms, self._epoch, [group], 0.0), self._interval_ms)
        await measurements.store(self._parts, None, self._columns.of(followed.samples))
        self._standing = followed.standing

    def _figures(self, families: Iterable[Metric]) -> Iterator[Figure]:
        for family in families:
            is_counted = family.type in _COUNTED
            for sample in family.samples:
                is_bucket = sample.name.endswith("_bucket")
                if not math.isfinite(sample.value) or (is_bucket and _APART in sample.labels):
                    continue
                kind = COUNTER if is_counted else GAUGE
                yield Figure(sample.name, self._labelled(sample.labels), kind, family.unit, float(sample.value))

    def _labelled(self, labels: dict[str, str]) -> Labels:
        key = tuple(labels.items())
        known = self._labels.get(key)
        if known is None:
            named = [(name, value) for name, value in key if value]
            known = self._labels[key] = tuple(sorted([*named, self._node]))
        return known
