"""How columns of a dataset, and of others of its source, depend on each other. Runs in a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from analysis.frames import Frame
from analysis.relationships.discover import discover
from analysis.relationships.findings import PartStatus, RelationshipOptions, Relationships
from handlers.analytics.tasks import Task

# Beside reading; what was found by then is told.
_SHARE = 0.5


def compute(
    frames: Mapping[str, Frame], task: Task, tell: Callable[[float, str], None], check: Callable[[], None]
) -> Relationships:
    known = set(RelationshipOptions.__dataclass_fields__)
    options = {name: value for name, value in task.options.items() if name in known}
    made = msgspec.convert({**options, "seed": task.seed, "seconds": task.seconds * _SHARE}, RelationshipOptions)
    return discover(frames, made, tell, check)


def is_whole(found: Relationships) -> bool:
    return all(part.status is not PartStatus.OUT_OF_TIME for part in found.parts.values())
