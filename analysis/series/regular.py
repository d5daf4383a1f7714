"""Series at even distances out of stamped rows: the step, repeated stamps, gaps and time zones, all of it counted."""

from __future__ import annotations

import datetime
import zoneinfo
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.columns import Array
from analysis.series.grid import (
    MOST_BUCKETS_A_ROW,
    MOST_STEPS_A_ROW,
    cut_short,
    dense_stretch,
    saw_daylight_saving,
)
from analysis.series.steps import HOUR, Step, bucket_step, step_of

# The difference of numbers beyond this may be beyond all numbers.
_HUGE = 1e300


class Aggregate(StrEnum):
    """What rows of one step make together."""

    MEAN = "mean"
    SUM = "sum"
    COUNT = "count"
    MEDIAN = "median"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"


class Fill(StrEnum):
    """What stands in a step without rows: AUTO is ZERO for counts and for sums of several rows, else INTERPOLATE."""

    AUTO = "auto"
    ZERO = "zero"
    INTERPOLATE = "interpolate"


class SeriesStatus(StrEnum):
    OK = "ok"
    EMPTY = "empty"
    TOO_FEW = "too_few"
    IRREGULAR = "irregular"


@dataclass(frozen=True, slots=True, eq=False)
class RegularSeries:
    """Values at even distances. Where `status` is not OK, `step` is None and `values` is empty.

    `values` is float64 with NaN in gaps; `filled` the same without NaN, by `fill`. `stamps` is datetime64[us], in UTC,
    or in wall time where a zone was given. `duplicates` counts rows beyond the first of a step, `gaps` steps without a
    value, `moved` rows whose stamp was off its step's, `left_out` rows beyond a hole too long to bridge, `nulls` rows
    without stamp or value. `incomplete_first` and `incomplete_last` say that a bucket at that end was left out because
    rows do not span it, `daylight_saving` whether days of 23 and 25 hours were seen.
    """

    status: SeriesStatus
    step: Step | None
    stamps: Array
    values: Array
    filled: Array
    rows: int = 0
    nulls: int = 0
    duplicates: int = 0
    gaps: int = 0
    moved: int = 0
    left_out: int = 0
    aggregate: Aggregate = Aggregate.MEAN
    fill: Fill = Fill.INTERPOLATE
    bucketed: bool = False
    incomplete_last: bool = False
    daylight_saving: bool = False
    incomplete_first: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def next_stamps(self, horizon: int) -> Array:
        """datetime64[us]: the stamps of the `horizon` steps after the last."""
        assert self.step is not None
        last = self.step.numbers(self.stamps[-1:], nearest=True)[0]
        return self.step.stamps(last + np.arange(1, horizon + 1))


def regularise(
    stamps: Array,
    values: Array,
    *,
    aggregate: Aggregate = Aggregate.MEAN,
    fill: Fill = Fill.AUTO,
    step: Step | None = None,
    zone: str | None = None,
) -> RegularSeries:
    """The series of rows in any order: `stamps` datetime64 (NaT: none), `values` float64 (NaN: none), one each a row.

    The step is found unless given. `zone` names the time zone whose days and hours are meant where stamps are in UTC.
    Never raises for bad data: see `status`. Raises ValueError for a zone that is not known.
    """
    rows = len(stamps)
    known = ~np.isnat(stamps) & np.isfinite(values)
    times, numbers = stamps[known].astype("datetime64[us]"), values[known].astype(np.float64)
    if zone is not None:
        times = wall_times(times, zone)
    order = np.argsort(times, kind="stable")
    times, numbers = times[order], numbers[order]
    if not times.size:
        return _none(SeriesStatus.EMPTY, rows, rows)
    found, bucketed = _step(times, step)
    if found is None:
        few = np.unique(times).size < 3
        return _none(SeriesStatus.TOO_FEW if few else SeriesStatus.IRREGULAR, rows, rows - times.size)
    return _on_grid(times, numbers, found, bucketed, aggregate, fill, rows)


def wall_times(stamps: Array, zone: str) -> Array:
    """Stamps in UTC (datetime64[us]) as clocks of that zone show them. Raises ValueError for an unknown zone."""
    where = _zone(zone)
    if where is None:
        raise ValueError(f"there is no time zone {zone!r}; zones are named like Europe/Berlin")
    # Offsets change on the quarter of an hour at the finest.
    quarters, places = np.unique(stamps.astype("datetime64[us]").astype(np.int64) // (HOUR // 4), return_inverse=True)
    moments = (quarters * (HOUR // 4)).astype("datetime64[us]").tolist()
    offsets = np.array([_offset(where, moment) for moment in moments], dtype=np.int64)
    return np.asarray(stamps + offsets[places])


def known_zone(zone: str) -> bool:
    """Whether there is a time zone of that name."""
    return _zone(zone) is not None


def _zone(zone: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _offset(where: zoneinfo.ZoneInfo, moment: object) -> int:
    if not isinstance(moment, datetime.datetime):  # beyond the year 9999
        return 0
    offset = where.utcoffset(moment.replace(tzinfo=datetime.UTC).astimezone(where))
    return round(offset.total_seconds() * 1_000_000) if offset else 0


def interpolated(values: Array) -> Array:
    """The values with NaN replaced along straight lines, and by the nearest value at the ends."""
    missing = np.isnan(values)
    if not missing.any() or missing.all():
        return np.zeros_like(values) if missing.any() else values
    places, known = np.arange(len(values)), values[~missing]
    unit = 4.0 if np.max(np.abs(known)) > _HUGE else 1.0
    return np.asarray(np.interp(places, places[~missing], known / unit) * unit)


def _none(status: SeriesStatus, rows: int, nulls: int) -> RegularSeries:
    no_values = np.empty(0)
    return RegularSeries(status, None, np.empty(0, "datetime64[us]"), no_values, no_values, rows, nulls)


def _step(times: Array, wanted: Step | None) -> tuple[Step | None, bool]:
    if wanted is not None:
        return wanted, True
    distinct = np.unique(times)
    found = step_of(distinct)
    if found is not None:
        return found[0], False
    return bucket_step(distinct), True


def _on_grid(
    times: Array, values: Array, step: Step, bucketed: bool, aggregate: Aggregate, fill: Fill, rows: int
) -> RegularSeries:
    numbers = step.numbers(times, nearest=not bucketed)
    nulls, kept = rows - len(times), dense_stretch(numbers, MOST_BUCKETS_A_ROW if bucketed else MOST_STEPS_A_ROW)
    left_out = len(times) - (kept.stop - kept.start)
    times, values, numbers = times[kept], values[kept], numbers[kept]
    first_cut, last_cut = cut_short(times, numbers, step) if bucketed else (False, False)
    if first_cut or last_cut:
        whole = (numbers >= numbers[0] + first_cut) & (numbers <= numbers[-1] - last_cut)
        if not whole.any():
            return _none(SeriesStatus.TOO_FEW, rows, nulls)
        times, values, numbers = times[whole], values[whole], numbers[whole]
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1])
    grid = np.full(int(numbers[-1] - numbers[0]) + 1, np.nan)
    grid[numbers[firsts] - numbers[0]] = _aggregated(values, firsts, aggregate)
    stamps = step.stamps(np.arange(numbers[0], numbers[-1] + 1))
    duplicates = len(values) - len(firsts)
    filling = _filling(fill, aggregate, duplicates, len(firsts))
    filled = np.nan_to_num(grid, nan=0.0) if filling is Fill.ZERO else interpolated(grid)
    off = np.abs((times - stamps[numbers - numbers[0]]).astype(np.int64))
    return RegularSeries(
        SeriesStatus.OK,
        step,
        stamps,
        grid,
        filled,
        rows,
        nulls,
        duplicates,
        len(grid) - len(firsts),
        0 if bucketed else int(np.count_nonzero(off)),
        left_out,
        aggregate,
        filling,
        bucketed,
        last_cut,
        saw_daylight_saving(times, step, off),
        first_cut,
    )


def _aggregated(values: Array, firsts: Array, aggregate: Aggregate) -> Array:
    counts = np.diff(np.concatenate([firsts, [len(values)]]))
    with np.errstate(over="ignore", invalid="ignore"):
        match aggregate:
            case Aggregate.COUNT:
                made = counts.astype(np.float64)
            case Aggregate.SUM:
                made = np.add.reduceat(values, firsts)
            case Aggregate.MIN:
                made = np.minimum.reduceat(values, firsts)
            case Aggregate.MAX:
                made = np.maximum.reduceat(values, firsts)
            case Aggregate.FIRST:
                made = values[firsts]
            case Aggregate.LAST:
                made = values[firsts + counts - 1]
            case Aggregate.MEAN:
                made = values[firsts] if len(values) == len(firsts) else np.add.reduceat(values, firsts) / counts
            case Aggregate.MEDIAN:
                made = _medians(values, firsts, counts)
    return np.where(np.isfinite(made), made, np.nan)


def _medians(values: Array, firsts: Array, counts: Array) -> Array:
    groups = np.repeat(np.arange(len(firsts)), counts)
    ordered = values[np.lexsort((values, groups))]
    return np.asarray(0.5 * (ordered[firsts + (counts - 1) // 2] + ordered[firsts + counts // 2]))


def _filling(fill: Fill, aggregate: Aggregate, duplicates: int, steps: int) -> Fill:
    if fill is not Fill.AUTO:
        return fill
    is_total = aggregate is Aggregate.COUNT or (aggregate is Aggregate.SUM and duplicates > 0.1 * steps)
    return Fill.ZERO if is_total else Fill.INTERPOLATE
