"""What in a dataset is worth a look. Runs in a reader."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from analysis.frames import Frame
from analysis.insights.discover import find_insights
from analysis.insights.findings import Insights
from analysis.insights.options import InsightOptions
from analysis.profile.figures import TableProfile
from handlers.analytics.tasks import Task

# Beside reading; what was found by then is told.
_SHARE = 0.5


def compute(
    frames: Mapping[str, Frame], task: Task, tell: Callable[[float, str], None], check: Callable[[], None]
) -> Insights:
    options: dict[str, Any] = task.options
    return find_insights(
        frames[task.dataset],
        InsightOptions(
            level=options["level"],
            limit=options["limit"],
            types=frozenset(options["types"]),
            time=options["time"],
            table=(task.schema_name, task.name) if task.schema_name else (task.name,),
            dialect=options["dialect"],
            reference=_reference(task),
            reference_label=options["reference_label"],
            now=datetime.fromisoformat(options["now"]),
            subspaces=options["subspaces"],
            seconds=task.seconds * _SHARE,
            seed=task.seed,
        ),
        tell,
        check,
    )


def is_whole(found: Insights) -> bool:
    """Columns that are left out of a wide table would be so again; families that were stopped would not."""
    return all(part.status != "budget" or not part.detail.startswith("stopped after") for part in found.parts)


def _reference(task: Task) -> TableProfile | None:
    """The earlier profile without the columns whose values are hidden, which would all look changed."""
    if task.reference is None:
        return None
    profile = msgspec.json.decode(zlib.decompress(task.reference), type=TableProfile)
    return msgspec.structs.replace(
        profile,
        columns=[
            column
            for column in profile.columns
            if column.name not in task.hidden and task.view.effect_on(column.name) is None
        ],
    )
