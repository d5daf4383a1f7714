"""How statements of a source are asked for and shown."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.performance.collection_shapes import CannotTell, DataSourceId
from handlers.performance.ranges import TimeRange
from handlers.registry import Instant


class Sort(enum.StrEnum):
    """By what statements are sorted, the most first."""

    TOTAL_SECONDS = "total_seconds"
    MEAN_SECONDS = "mean_seconds"
    CALLS = "calls"
    ROWS = "rows"
    READS = "reads"
    WRITES = "writes"
    CHANGE = "change"


Search = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,200}$(?!\n)", description="Part of the text.")]
Most = Annotated[int, Meta(ge=1, le=500, description="How many are shown at most; the rest is in `other`.")]
StatementKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:+-]{1,200}$(?!\n)")]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What statements did. `share` is of the time of all statements, from 0 to 1.

    `more` has what else this database counts, by name: `blocks_read`, `temp_blocks_written`, `rows_examined`, …
    """

    calls: float
    total_seconds: float
    mean_seconds: float | None
    rows: float | None
    share: float | None
    more: dict[str, float]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement in the time that was asked for, and in as long a time before that (`previous`).

    `text` is as the database keeps it for who manages the source, and without literals for others (`is_normalised`);
    null if the database had forgotten it.
    """

    key: str
    database: str
    user: str
    text: str | None
    is_normalised: bool
    figures: Figures
    previous: Figures | None


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """The statements that took the most, and all `other` ones together.

    `covered_seconds` is how much of the time was watched. `evicted` counts statements that the database forgot
    meanwhile for want of room. `cannot_tell` says why there are none.
    """

    data_source_id: int
    start: Instant
    end: Instant
    covered_seconds: float
    items: list[Statement]
    other: Figures
    total: Figures
    total_previous: Figures | None
    matching: int
    evicted: int | None
    cannot_tell: CannotTell | None


class ListStatements(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: DataSourceId
    time_range: TimeRange = "1h"
    sort: Sort = Sort.TOTAL_SECONDS
    search: Search | None = None
    limit: Most = 50


class GetStatement(msgspec.Struct, frozen=True, kw_only=True):
    data_source_id: DataSourceId
    key: StatementKey
    time_range: TimeRange = "24h"


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement did in a stretch of time. Null: it was not among those that are kept one by one then."""

    start: Instant
    end: Instant
    figures: Figures | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A way to execute the statement: `shape` is the same for plans that do the same, whatever they cost."""

    shape: str
    cost: float | None
    first_seen_at: Instant
    last_seen_at: Instant
    plan: dict[str, Any]


class StatementHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A statement over time. `plans` are those that were seen, the newest first: a new shape may be why it is slow."""

    data_source_id: int
    key: str
    text: str | None
    is_normalised: bool
    first_seen_at: Instant | None
    last_seen_at: Instant | None
    total: Figures | None
    history: list[Stretch]
    plans: list[Plan]
