"""Pushed samples on their way into the store, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from handlers import measurements
from handlers.gathered_samples import TOO_OLD, Decoded, Refusals
from handlers.parts import Parts
from storage.data_sources import DataSource

TOO_MANY_SERIES = "the source has as many series as it may have"

# Decoding this much never keeps the others waiting for more than some tens of milliseconds, whatever it holds.
MOST_BYTES_AT_ONCE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Pushed:
    """`stored` samples are durable."""

    stored: int
    refusals: Refusals


async def decoding(size: int, decode: Callable[[], Decoded]) -> Decoded:
    """What `decode` answers for a body of so many bytes; a large one is decoded in a thread."""
    if size <= MOST_BYTES_AT_ONCE:
        return decode()
    return await asyncio.to_thread(decode)


async def push(parts: Parts, source: DataSource, decoded: Decoded) -> Pushed:
    """Stores what may be stored. Whoever repeats a request changes nothing."""
    refusals = decoded.refusals
    if not len(decoded.columns.index):
        return Pushed(0, refusals)
    appended = await measurements.store(parts, source, decoded.columns)
    decoded.confirm()
    refusals.add(TOO_MANY_SERIES, appended.refused_series)
    refusals.add(TOO_OLD, appended.refused_times)
    return Pushed(max(decoded.samples - appended.refused_series - appended.refused_times, 0), refusals)
