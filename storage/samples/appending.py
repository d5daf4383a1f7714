"""Samples are appended in groups: what comes while a transaction is written goes into the next one, all together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert as plain_insert
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.cancelling import undisturbed
from storage.database import Database
from storage.metric_tables import metric_batches, metric_sources
from storage.samples import batch_body, series
from storage.samples.admitting import UNKNOWN, KnownSeries, Part, admitted
from storage.samples.columns import Appended, Batch, SampleColumns, SeriesKey, Times, Values
from storage.samples.policy import DAY_MS, Policy
from storage.samples.tail import Tail
from storage.tables import to_microseconds
from storage.upsert import insert

# So many samples are written down at once; more would hold the event loop and the database's writer.
_MOST_SAMPLES = 200_000


@dataclass(slots=True)
class _Request:
    source_id: int
    columns: SampleColumns
    result: Appended | None = None
    error: Exception | None = None


class _Source(NamedTuple):
    """A row of metric_sources, locked."""

    head: int
    series: int
    forgotten: int


class Appender:
    """Appends samples, durably and in the order in which they come."""

    def __init__(self, database: Database, now: Callable[[], datetime], policy: Policy, tail: Tail) -> None:
        self._database = database
        self._now = now
        self._policy = policy
        self._tail = tail
        self._known: dict[int, KnownSeries] = {}
        self._waiting: list[_Request] = []
        self._lock = asyncio.Lock()

    async def append(self, source_id: int, columns: SampleColumns) -> Appended:
        """See SampleStore."""
        request = _Request(source_id, columns)
        self._waiting.append(request)
        async with self._lock:
            while request.result is None and request.error is None:
                await undisturbed(self._write(self._next_group()))
        if request.error is not None:
            raise request.error
        assert request.result is not None
        return request.result

    def _next_group(self) -> list[_Request]:
        samples = count = 0
        while count < len(self._waiting) and samples < _MOST_SAMPLES:
            samples += len(self._waiting[count].columns.index)
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _write(self, group: list[_Request]) -> None:
        by_source: dict[int, list[_Request]] = {}
        for request in group:
            by_source.setdefault(request.source_id, []).append(request)
        at_ms = to_microseconds(self._now()) // 1000
        try:
            async with self._database.write() as connection:
                # In one order, so that nodes wait for each other instead of blocking each other for good.
                written = [
                    await self._write_source(connection, source_id, by_source[source_id], at_ms)
                    for source_id in sorted(by_source)
                ]
        except Exception as error:
            for request in group:
                request.error = error
            return
        # Only what is committed is known.
        for source_id, known, results, batch in written:
            self._known[source_id] = known
            if batch is not None:
                self._tail.keep(source_id, batch)
            for request, result in zip(by_source[source_id], results, strict=True):
                request.result = result

    async def _write_source(
        self, connection: AsyncConnection, source_id: int, requests: Sequence[_Request], at_ms: int
    ) -> tuple[int, KnownSeries, list[Appended], Batch | None]:
        source = await _advance(connection, source_id)
        known = self._known.get(source_id)
        if known is None or known.forgotten != source.forgotten:
            known = KnownSeries(source.forgotten)
        oldest, newest = at_ms - self._policy.tiers[0].age_ms, at_ms + self._policy.ahead_ms
        parts = [admitted(request.columns, known, oldest, newest) for request in requests]
        if any(part.strangers for part in parts):
            known = await self._introduce(connection, source_id, source, known, parts, at_ms)
            for part in parts:
                part.numbers = known.find(part.keys)
        numbers = np.concatenate([part.numbers[part.index] for part in parts])
        taken = numbers != UNKNOWN
        times = np.concatenate([part.at_ms for part in parts])[taken]
        values = np.concatenate([part.value for part in parts])[taken]
        seq = source.head if len(times) else 0
        if seq:
            row = _batch_row(source_id, seq, numbers[taken], times, values, at_ms)
            await connection.execute(plain_insert(metric_batches), row)
        results = _results(parts, taken, seq)
        await _settle(connection, source_id, results, is_empty=seq == 0)
        batch = Batch(seq, numbers[taken] + series.id_of(source_id, 0), times, values) if seq else None
        return source_id, known, results, batch

    async def _introduce(
        self,
        connection: AsyncConnection,
        source_id: int,
        source: _Source,
        known: KnownSeries,
        parts: Sequence[Part],
        at_ms: int,
    ) -> KnownSeries:
        """Finds or adds the series that this node does not know, up to the source's limit."""
        spans: dict[SeriesKey, tuple[int, int]] = {}
        for part in parts:
            for key, (first, last) in part.strangers.items():
                before = spans.get(key, (first, last))
                spans[key] = min(first, before[0]), max(last, before[1])
        found = await series.find(connection, source_id, list(spans))
        missing = {key: span for key, span in spans.items() if key not in found}
        added: dict[SeriesKey, int] = {}
        if missing:
            active = await series.count_active(connection, source_id, at_ms - DAY_MS)
            room = max(0, self._policy.series_of_source - active)
            added = await series.add(connection, source_id, source.series, dict(list(missing.items())[:room]))
            values = {"series": source.series + len(set(added.values()))}
            await connection.execute(
                update(metric_sources).where(metric_sources.c.source_id == source_id).values(values)
            )
        zero = series.id_of(source_id, 0)
        numbers = {key: series_id - zero for key, series_id in (found | added).items()}
        return KnownSeries(known.forgotten, known.numbers | numbers)


def _results(parts: Sequence[Part], taken: NDArray[np.bool_], seq: int) -> list[Appended]:
    results = []
    start = 0
    for part in parts:
        end = start + len(part.index)
        stored = int(np.count_nonzero(taken[start:end]))
        results.append(Appended(seq if stored else 0, stored, end - start - stored, part.refused_times))
        start = end
    return results


def _batch_row(
    source_id: int, seq: int, numbers: NDArray[np.int64], at_ms: Times, value: Values, stored_ms: int
) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "seq": seq,
        "samples": len(at_ms),
        "first_ms": int(at_ms.min()),
        "last_ms": int(at_ms.max()),
        "stored_ms": stored_ms,
        "body": batch_body.encode(numbers, at_ms, value),
    }


async def _advance(connection: AsyncConnection, source_id: int) -> _Source:
    """Moves the head and locks the source, which is made if need be."""
    columns = metric_sources.c
    wanted = (columns.head, columns.series, columns.forgotten)
    head = columns.head + 1
    moved = update(metric_sources).where(columns.source_id == source_id).values(head=head).returning(*wanted)
    row = (await connection.execute(moved)).first()
    if row is None:
        values = {"source_id": source_id, "head": 1, "sealed": 0, "series": 0, "forgotten": 0, "refused": 0}
        # Another transaction may be making it, too: that one is waited for.
        made = insert(connection, metric_sources).values(values)
        made = made.on_conflict_do_update(index_elements=["source_id"], set_={"head": head})
        row = (await connection.execute(made.returning(*wanted))).one()
    return _Source(*row)


async def _settle(connection: AsyncConnection, source_id: int, results: Sequence[Appended], *, is_empty: bool) -> None:
    """Counts what was refused, and takes the head back if there is no batch."""
    refused = sum(result.refused_series + result.refused_times for result in results)
    if not refused and not is_empty:
        return
    columns = metric_sources.c
    values = {"refused": columns.refused + refused, "head": columns.head - int(is_empty)}
    await connection.execute(update(metric_sources).where(columns.source_id == source_id).values(values))
