"""What a reader is asked about one dataset, and what it answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from analysis.rules.rule_types import Rule, RuleResult
from connectors.datasets import ChangeMarker


class Part(StrEnum):
    """What a scan looks for."""

    DISCOVERY = "discovery"
    PROFILE = "profile"
    CLASSIFICATION = "classification"
    QUALITY = "quality"


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """How a dataset was found to be, by which method; see `connectors.datasets.ChangeMarker`.

    `shape` is a digest of names and types of the columns: neither counters nor watermarks tell of a column that was
    added, with a value for the rows that were there. None where the method tells of everything.
    `watermark_is_sensitive`: the column was found to hold sensitive data, then or in an earlier scan.
    """

    method: str
    value: str | None
    watermark_column: str | None = None
    watermark: str | None = None
    blind_to: str | None = None
    shape: str | None = None
    watermark_is_sensitive: bool = False

    def same_as(self, earlier: Marker | None) -> bool:
        if earlier is None or self.value is None:
            return False
        mine = (self.method, self.value, self.watermark_column)
        return mine == (earlier.method, earlier.value, earlier.watermark_column)


def marker_from(marker: ChangeMarker, watermark_column: str | None, earlier: Marker | None = None) -> Marker:
    """`earlier` is how the dataset was found last."""
    is_same_column = earlier is not None and earlier.watermark_column == watermark_column
    return Marker(
        method=marker.method.value,
        value=marker.value,
        watermark_column=watermark_column,
        watermark=marker.watermark,
        blind_to=marker.blind_to,
        watermark_is_sensitive=is_same_column and earlier is not None and earlier.watermark_is_sensitive,
    )


class NamedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule and the id that it is stored by."""

    id: int
    rule: Rule


class QualityResult(RuleResult, frozen=True, kw_only=True):
    """What came of a stored rule."""

    rule_id: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset. `earlier` is how it was when it was last scanned, None to scan it whatever it is like.

    `sample_rows` None reads all rows. `expected_rows` is an estimate, for the percents that are told.
    """

    schema_name: str | None
    name: str
    parts: tuple[Part, ...]
    rules: tuple[NamedRule, ...] = ()
    earlier: Marker | None = None
    watermark_column: str | None = None
    count_rows: bool = False
    sample_rows: int | None = None
    expected_rows: int | None = None
    pause_seconds: float = 0.0


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a dataset is. `percent` is None where nobody knows how many rows there are."""

    rows: int
    rows_per_second: float
    percent: float | None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A result: its kind, its column, and what it says as JSON."""

    kind: str
    column: str | None
    json: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a task. `is_unchanged`: nothing was read, as nothing changed.

    `is_reshaped`: its columns are others than then. `after` is the watermark beyond which rows were read, by its shape
    where its column is sensitive; None for all. `is_sample`, `is_cut`: rows were left out, by chance or by the source's
    row cap.
    """

    marker: Marker
    is_unchanged: bool = False
    is_reshaped: bool = False
    rows: int = 0
    columns: int = 0
    after: str | None = None
    is_sample: bool = False
    is_cut: bool = False
    sensitive_columns: int = 0
    failed_rules: int = 0
    bodies: tuple[Body, ...] = ()


def body_of(kind: str, column: str | None, value: Any) -> Body:
    return Body(kind=kind, column=column, json=msgspec.json.encode(value).decode())
