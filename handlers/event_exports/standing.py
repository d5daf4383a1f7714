"""How far exports have got: what waits of each stream, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.event_exports import reading
from storage import event_exports
from storage.event_exports import Export, Position


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the streams of an export are. `behind` counts what waits of each, `oldest` is when its first happened."""

    reached: dict[str, Position]
    behind: dict[str, int]
    oldest: datetime | None

    @property
    def waiting(self) -> list[str]:
        """The streams that something waits of."""
        return sorted(stream for stream, count in self.behind.items() if count > 0)


async def progress_of(connection: AsyncConnection, exports: Sequence[Export]) -> dict[int, Progress]:
    """By the export's id."""
    if not exports:
        return {}
    reached = await event_exports.positions(connection, [each.id for each in exports])
    heads = await reading.heads_of(connection, sorted({stream for each in exports for stream in each.streams}))
    found = {}
    for each in exports:
        behind = reading.behind(each, reached[each.id], heads)
        oldest = [
            await reading.time_of_next(connection, stream, reached[each.id].get(stream))
            for stream, count in behind.items()
            if count > 0
        ]
        found[each.id] = Progress(reached[each.id], behind, min(filter(None, oldest), default=None))
    return found
