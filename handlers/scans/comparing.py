"""Whether a dataset is what it was when it was last scanned, and where to go on reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from connectors.connector import Connector
from connectors.datasets import ChangeMethod, DatasetRef, Description, Watermark
from handlers.scans.tasks import Marker, Task, marker_from

ROW_COUNT = "row_count"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a dataset is found. `description` None: unchanged. `is_reshaped`: its columns are others than they were."""

    marker: Marker
    description: Description | None
    after: Watermark | None = None
    is_reshaped: bool = False


async def compare(connector: Connector, task: Task) -> Standing:
    """Raises ConnectorError."""
    ref = DatasetRef(task.schema_name, task.name)
    # Before anything is read: what changes meanwhile shows next time.
    found = await connector.change_marker(ref, task.watermark_column)
    marker = marker_from(found, task.watermark_column, task.earlier)
    if found.method is ChangeMethod.NONE and task.count_rows:
        rows = await connector.count_rows(ref)
        marker = Marker(
            method=ROW_COUNT, value=str(rows), blind_to="rows that were changed, or replaced by as many others"
        )
    if found.method is ChangeMethod.FILE and marker.same_as(task.earlier):
        return Standing(marker, None)
    description = await connector.describe(ref)
    if found.method is not ChangeMethod.FILE:
        marker = msgspec.structs.replace(marker, shape=_shape_of(description))
    is_reshaped = task.earlier is not None and task.earlier.shape != marker.shape
    if not is_reshaped and marker.same_as(task.earlier):
        return Standing(marker, None)
    # Of a column that is new, all rows have to be seen.
    return Standing(marker, description, None if is_reshaped else _after(task), is_reshaped)


def _shape_of(description: Description) -> str:
    columns = [(column.name, column.native_type) for column in description.columns]
    return hashlib.sha256(msgspec.json.encode(columns)).hexdigest()[:32]


def _after(task: Task) -> Watermark | None:
    """Where to go on: only what has come since is read, if it was by the same column then."""
    earlier = task.earlier
    if earlier is None or task.watermark_column is None or earlier.watermark is None:
        return None
    same = earlier.method == ChangeMethod.WATERMARK and earlier.watermark_column == task.watermark_column
    return Watermark(task.watermark_column, earlier.watermark) if same else None
