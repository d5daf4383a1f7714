"""What may be asked of a scan: the same over HTTP and of the job, so that a schedule says it alike."""

from __future__ import annotations

import fnmatch
import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.names import RowId
from handlers.scans.tasks import NamedRule, Part

ALL_PARTS = tuple(Part)

Pattern = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00]+$(?!\n)",
        description="Names of datasets, as `schema.table` or a file's path; `*` and `?` stand for anything.",
        examples=["public.*"],
    ),
]
ColumnName = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00]+$(?!\n)")]


class Mode(StrEnum):
    FULL = "full"
    INCREMENTAL = "incremental"


class ScanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is scanned.

    `datasets`: those that match one of the patterns; all unless given. `rules`: ids of rules, all that are enabled
    unless given. `sample_rows`: about so many rows of each dataset, all unless given. `watermarks`: by pattern the
    column by which an incremental scan sees what is new; it then reads only rows beyond the last value. `count_rows`:
    where a source tells nothing of changes, as many rows as before count as unchanged. `concurrency`: datasets at
    once. `pause_ms`: between two batches of rows.
    """

    mode: Mode = Mode.FULL
    datasets: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=4)] = ALL_PARTS
    rules: Annotated[tuple[RowId, ...], Meta(max_length=500)] | None = None
    sample_rows: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    watermarks: Annotated[dict[Pattern, ColumnName], Meta(max_length=100)] = {}
    count_rows: bool = False
    concurrency: Annotated[int, Meta(ge=1, le=2)] = 1
    pause_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0

    def includes(self, name: str) -> bool:
        return not self.datasets or any(matches(name, pattern) for pattern in self.datasets)

    def watermark_of(self, name: str) -> str | None:
        return next((column for pattern, column in self.watermarks.items() if matches(name, pattern)), None)

    def asked(self, rules: tuple[NamedRule, ...]) -> str:
        """A digest of what is looked for in a dataset: what was not looked for is not unchanged."""
        said = msgspec.json.encode([sorted(set(self.parts)), self.sample_rows, self.count_rows, rules])
        return hashlib.sha256(said).hexdigest()[:32]


class ScanJob(ScanOptions, frozen=True, kw_only=True):
    """Scan a data source of the workspace."""

    source_id: RowId


def matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)
