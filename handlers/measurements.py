"""The one way in for measurements: whoever brings samples stores them here, and whoever looks at them is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers.parts import Parts
    from storage.data_sources import DataSource
    from storage.samples.columns import Appended, SampleColumns

# The topic of the words about measurements (handlers/changes.py).
TOPIC = "metrics"
# The source that is the server itself. It belongs to no workspace.
OWN_SOURCE = 0


def subject_of(source_id: int) -> str:
    """What a word about measurements of a source is about."""
    return f"source:{source_id}"


async def store(parts: Parts, source: DataSource | None, columns: SampleColumns) -> Appended:
    """Stores samples of a source, None for the server itself; they are durable when this returns, and it is told.

    The word has the topic `metrics`, the source's workspace, and `source:<id>` as its subject. It is said four times a
    second at most, whatever comes. Samples that were stored before change nothing.
    """
    source_id, workspace_id = (OWN_SOURCE, None) if source is None else (source.id, source.workspace_id)
    appended = await parts.samples.append(source_id, columns)
    if appended.stored:
        parts.changes.tell(TOPIC, workspace_id, subject_of(source_id))
    return appended
