"""What was measured last, of each source that is followed on this node: read once for all who follow it.

Batches of samples have numbers without gaps, so whoever says how far they got is told all that came since, or that it
cannot be told any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from handlers.changes import Changed, Changes
from handlers.measurements import TOPIC, subject_of
from storage.errors import TrimmedTail
from storage.samples.columns import Batch
from storage.samples.store import SampleStore

_AT_ONCE = 100
# What a follower that computes for some seconds may be behind by.
_MOST_KEPT = 400


@dataclass(frozen=True, slots=True)
class News:
    """The batches up to `seq` have samples of these series, the oldest of each at `first_ms`."""

    seq: int
    series_ids: NDArray[np.int64]
    first_ms: NDArray[np.int64]


@dataclass(slots=True)
class _Tail:
    """`seq` is the newest batch that was read; of the `kept` ones it is known what they hold."""

    seq: int
    is_stale: bool = True
    kept: deque[News] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class MetricTails:
    """The tails of the sources that are followed on this node."""

    def __init__(self) -> None:
        self._tails: dict[int, _Tail] = {}
        self._changes: Changes | None = None

    async def head(self, store: SampleStore, source_id: int) -> int:
        """The number of the source's newest batch, 0 if it has none."""
        return (await store.heads([source_id])).get(source_id, 0)

    async def news(self, store: SampleStore, changes: Changes, source_id: int, seq: int) -> News | None:
        """What came after the batch `seq`, up to now. None if that is not known any more: then all has to be read."""
        self._listen(changes)
        tail = self._tails.get(source_id)
        if tail is None:
            tail = self._tails[source_id] = _Tail(seq)
        async with tail.turn:
            if tail.is_stale or not changes.is_connected:
                await self._read_on(store, source_id, tail)
        if seq < tail.seq - len(tail.kept):
            return None
        return _together([news for news in tail.kept if news.seq > seq], max(seq, tail.seq))

    async def _read_on(self, store: SampleStore, source_id: int, tail: _Tail) -> None:
        tail.is_stale = False
        try:
            while batches := await store.batches_after(source_id, tail.seq, _AT_ONCE):
                for batch in batches:
                    tail.kept.append(_news_of(batch))
                    tail.seq = batch.seq
                if len(batches) < _AT_ONCE:
                    break
        except TrimmedTail:
            tail.kept.clear()
            tail.seq = await self.head(store, source_id)
        except BaseException:
            tail.is_stale = True
            raise

    def _listen(self, changes: Changes) -> None:
        if self._changes is not changes:
            self._changes = changes
            changes.listen(self.hear)

    def hear(self, changed: Changed) -> None:
        """Something may be new; see `Changes`."""
        if changed.topic not in (None, TOPIC):
            return
        for source_id, tail in self._tails.items():
            if changed.subject in (None, subject_of(source_id)):
                tail.is_stale = True


def _news_of(batch: Batch) -> News:
    order = np.lexsort((batch.at_ms, batch.series_ids))
    ids, at_ms = batch.series_ids[order], batch.at_ms[order]
    firsts = np.flatnonzero(np.diff(ids, prepend=-1))
    return News(batch.seq, ids[firsts], at_ms[firsts])


def _together(news: list[News], seq: int) -> News:
    if not news:
        return News(seq, np.empty(0, np.int64), np.empty(0, np.int64))
    ids = np.concatenate([each.series_ids for each in news])
    at_ms = np.concatenate([each.first_ms for each in news])
    return _news_of(Batch(seq, ids, at_ms, np.empty(0)))
