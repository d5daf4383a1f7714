"""Measurements as they are told: times once, and beside them columns of values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from handlers.measured_sources import MeasuredId
from handlers.registry import Instant

Column = Annotated[list[float | None], Meta(description="One for each time; null where nothing is known.")]
Partial = Literal["open", "retention", "resolution"]


class BandColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Where values are expected, from what came before each: null where too little did."""

    expected: Column
    low: Column
    high: Column


class SeriesColumns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One series, or several as one (`of` so many, `aggregate` says how).

    `bucket` says how samples became values; of rates the unit is per second. `missing` says of how many series there
    is no value at each time, where there are such. With `downsample`, `at` are the times of the values in ms, and
    `low` and `high` what each stretch ranges over. `previous` is the period that is compared with.
    """

    metric: str
    labels: dict[str, str]
    kind: str
    unit: str
    bucket: str
    values: Column
    aggregate: str | None = None
    of: int = 1
    missing: list[int] | None = None
    at: list[int | None] | None = None
    low: Column | None = None
    high: Column | None = None
    previous: Column | None = None
    band: BandColumns | None = None


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """`times` are when each step begins, in ms since 1970 in UTC; a value is of what lies in the step.

    `tier` says what it was computed from: samples (`raw`), what they come to in `1m`, `15m` or `6h`, or another store.
    It is partial because the newest step is still `open`, because older samples are not kept any more (`retention`), or
    because they are kept in wider steps than were asked for (`resolution`). `left_out` series more were found.
    """

    data_source_id: MeasuredId
    as_of: Instant
    start: Instant
    end: Instant
    step_seconds: float
    tier: str
    is_partial: bool
    partial: list[Partial]
    times: list[int]
    series: list[SeriesColumns]
    left_out: int
    compared_seconds: float | None = None


def column(values: NDArray[np.float64]) -> list[float | None]:
    """The values as JSON has them: null for what is no number, and for infinities."""
    known = np.isfinite(values)
    if known.all():
        plain: list[float | None] = values.tolist()
        return plain
    made = values.astype(object)
    made[~known] = None
    with_gaps: list[float | None] = made.tolist()
    return with_gaps


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
