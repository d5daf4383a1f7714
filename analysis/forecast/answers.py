"""What a forecast is asked for, and what it answers with: plain values that encode to JSON, never NaN or infinite."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analysis.series.regular import Aggregate, Fill
from analysis.series.seasonality import Seasonality

MOST_HORIZON = 1000
MOST_LEVELS = 5


class ForecastStatus(StrEnum):
    """`ok`, or why a series has fewer points than asked for, or none."""

    OK = "ok"
    CONSTANT = "constant"
    INSUFFICIENT_HISTORY = "insufficient_history"
    EMPTY = "empty"
    IRREGULAR = "irregular"
    OUT_OF_TIME = "out_of_time"
    NO_SUCH_COLUMN = "no_such_column"
    NOT_A_TIME = "not_a_time"
    NOT_NUMERIC = "not_numeric"
    INVALID_OPTION = "invalid_option"


@dataclass(frozen=True, slots=True)
class ForecastOptions:
    """`target` by `time`, `horizon` steps ahead, for each combination of values of the `group_by` columns.

    `target` may be None where `aggregate` is COUNT: rows are counted. `horizon` None chooses one cycle of the shortest
    season, or an eighth of the history. `levels` are of central intervals. `step` (`day`, `15 minutes`) puts rows in
    buckets, `zone` names the time zone whose days are meant, `periods` are taken as they are instead of detected.
    `most_groups` largest groups are forecast; those that `budget_seconds` does not suffice for are told as
    OUT_OF_TIME. `history` is how many of the last known values each answer repeats.
    """

    target: str | None
    time: str
    horizon: int | None = None
    levels: tuple[float, ...] = (0.8, 0.95)
    group_by: tuple[str, ...] = ()
    aggregate: Aggregate = Aggregate.MEAN
    fill: Fill = Fill.AUTO
    step: str | None = None
    zone: str | None = None
    periods: tuple[int, ...] | None = None
    most_groups: int = 1000
    budget_seconds: float | None = None
    history: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A central prediction interval; `level` is the nominal coverage."""

    level: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """`stamp` is ISO 8601: in UTC with a Z where the column's times have a zone, in wall time otherwise."""

    stamp: str
    value: float
    intervals: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A known value; `filled` where it stands in a gap."""

    stamp: str
    value: float
    filled: bool


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What was forecast. Counts as in `analysis.series.regular.RegularSeries`.

    `steps` values (gaps included) from `start` to `end`, `step` apart, of which the last `used` were computed with.
    """

    rows: int
    nulls: int
    step: str | None = None
    start: str | None = None
    end: str | None = None
    steps: int = 0
    used: int = 0
    aggregate: Aggregate = Aggregate.MEAN
    duplicates: int = 0
    gaps: int = 0
    fill: Fill = Fill.INTERPOLATE
    moved: int = 0
    left_out: int = 0
    bucketed: bool = False
    incomplete_last: bool = False
    daylight_saving: bool = False
    incomplete_first: bool = False


@dataclass(frozen=True, slots=True)
class ModelScore:
    """A model in the backtest: MASE (of the season told in the backtest), sMAPE in percent, OWA against Naive2.

    `weight` is its share in the combination; 0 for benchmarks and what was left out. None where not defined (MASE of
    a series whose steps never changed).
    """

    model: str
    weight: float
    mase: float | None
    smape: float
    owa: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of `pairs` values in the backtest the share `achieved` lay in intervals made from the other origins.

    `pinball` is the mean loss at both ends, in the values' unit.
    """

    level: float
    achieved: float
    pinball: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecasts from `origins` earlier ends of the series, `stride` steps apart, each `horizon` steps ahead.

    `combination` is scored with the weights that the other origins give, so no value has a say in its own forecast.
    `models` are sorted by OWA and include the benchmarks; `season` is the period of MASE, Naive2 and seasonal naive.
    """

    origins: int
    stride: int
    horizon: int
    season: int
    combination: ModelScore
    models: tuple[ModelScore, ...]
    coverage: tuple[Coverage, ...]
    beats_seasonal_naive: bool | None


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """The forecast of one group. `reason` says in words why `status` is not OK."""

    group: dict[str, str | None]
    status: ForecastStatus
    reason: str | None
    facts: SeriesFacts
    seasons: tuple[Seasonality, ...] = ()
    points: tuple[ForecastPoint, ...] = ()
    interval_method: str | None = None
    backtest: Backtest | None = None
    history: tuple[HistoryPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The answer. `groups` counts all there are, `series` has what was looked at; `done` of them were computed.

    `status` is OK where any series is; else that of the first, or what is wrong with the request. `rows` of
    `total_rows` were there to compute with; where rows are a sample, totals and counts are those of the sample, which
    `notes` says.
    """

    status: ForecastStatus
    reason: str | None
    method: str
    target: str | None
    time: str
    horizon: int | None
    levels: tuple[float, ...]
    groups: int
    done: int
    rows: int
    total_rows: int | None
    is_sample: bool
    seed: int
    series: tuple[SeriesForecast, ...] = ()
    notes: tuple[str, ...] = ()
