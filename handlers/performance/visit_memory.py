"""What the next collector of a source has to know of the visits before: their epochs, and what could not be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from connectors.performance.epochs import Standing, recalled, remembered
from connectors.performance.figures import Level, Unsupported

if TYPE_CHECKING:
    from storage.metric_collections import Visits
    from storage.samples.store import SampleStore

# The metric whose samples have the times of visits.
SECONDS = "collector.visit.seconds"


class _Memory(msgspec.Struct, frozen=True):
    standings: str = "{}"
    unsupported: list[Unsupported] = []


_NOTHING = _Memory()


def remember(standings: Mapping[Level, Standing], unsupported: Sequence[Unsupported]) -> str:
    """JSON for metric_visits."""
    kept = {str(level): standing for level, standing in standings.items()}
    return msgspec.json.encode(_Memory(remembered(kept), list(unsupported))).decode()


async def recall(samples: SampleStore, visits: Visits) -> dict[Level, Standing]:
    """What was remembered, as far as the newest samples are those that it is of."""
    memory = _read(visits)
    since = int(visits.visited_at.timestamp() * 1000) - 1
    series = await samples.series(visits.source_id, SECONDS)
    found = await samples.read(series, since - 3_600_000, since + 86_400_000)
    newest = {
        level: int(found[one.id].at_ms[-1])
        for one in series
        if (level := dict(one.key.labels).get("level")) is not None and len(found[one.id].at_ms)
    }
    return {Level(level): standing for level, standing in recalled(memory.standings, newest).items()}


def unsupported_of(visits: Visits) -> list[Unsupported]:
    """What the last visits could not be told."""
    return _read(visits).unsupported


def _read(visits: Visits) -> _Memory:
    try:
        return msgspec.json.decode(visits.remembered, type=_Memory)
    except msgspec.DecodeError:
        return _NOTHING
