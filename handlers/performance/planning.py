"""Which steps an answer has, and from what it is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from analysis.timeseries.grid import MOST_POINTS, Grid, aligned, choose_step
from handlers.performance.answers import Partial
from handlers.performance.questions import GetMetrics
from handlers.performance.ranges import LONGEST_MS, Asked, duration_ms, read_range
from handlers.performance.reading import Reader
from handlers.registry import InvalidRequest
from storage.samples.policy import Tier

# Values that one answer is computed from: some seconds of a core and some hundred MB.
_MOST_VALUES = 4_000_000
# Of so many points one is drawn; its band knows the extremes of all samples anyway.
_CHOSEN_FROM = 10
_TIERS = {0: "raw", 60_000: "1m", 900_000: "15m", 21_600_000: "6h"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, what they are computed from, how many steps are told as one, and why that is not all."""

    asked: Asked
    grid: Grid
    tier: Tier
    width: int = 1
    partial: tuple[Partial, ...] = field(default=())

    @property
    def tier_name(self) -> str:
        return "store" if self.tier.number < 0 else _TIERS.get(self.tier.step_ms, f"{self.tier.step_ms // 1000}s")

    @property
    def told(self) -> Grid:
        """The steps that are told."""
        grid, step = self.grid, self.grid.step_ms * self.width
        return Grid(grid.start_ms, step, -(-grid.count // self.width))


def plan_of(request: GetMetrics, reader: Reader, now: datetime) -> Plan:
    """How to answer. Raises InvalidRequest."""
    asked = read_range(request.time_range, now)
    step_ms = _step(request, asked)
    tier = reader.best_tier(step_ms, asked.start_ms)
    partial: list[Partial] = []
    if tier.step_ms and step_ms % tier.step_ms:
        step_ms = tier.step_ms * -(-step_ms // tier.step_ms)
        partial.append("resolution")
    grid = _grid(asked, step_ms, MOST_POINTS if request.step else request.max_points)
    width = 1
    if request.downsample is not None:
        grid, width = _finer(asked, reader, grid)
        tier = reader.best_tier(grid.step_ms, asked.start_ms)
    now_ms = round(now.timestamp() * 1000)
    if grid.start_ms < now_ms - tier.age_ms:
        partial.append("retention")
    if grid.end_ms > now_ms:
        partial.append("open")
    return Plan(asked, grid, tier, width, tuple(partial))


def _step(request: GetMetrics, asked: Asked) -> int:
    span = asked.end_ms - asked.start_ms
    if request.step is None:
        return choose_step(span, request.max_points)
    step_ms = duration_ms(request.step)
    assert step_ms is not None  # the request's type says so
    if step_ms > LONGEST_MS:
        raise InvalidRequest(
            f"Steps of {request.step} are longer than anything is kept; ask for shorter ones, as `1d`.",
            code="bad_step",
            details={"parameter": "step"},
        )
    points = -(-span // step_ms)
    if points > MOST_POINTS:
        least = -(-span // (1000 * MOST_POINTS))
        raise InvalidRequest(
            f"Steps of {request.step} make {points} points of this range, and {MOST_POINTS} are the most; "
            f"ask for steps of {least}s at least.",
            code="too_many_points",
            details={"parameter": "step", "least_seconds": least},
        )
    return step_ms


def _grid(asked: Asked, step_ms: int, most: int) -> Grid:
    """Whole steps; where they are one too many, without the first, of which only a part was asked for."""
    grid = aligned(asked.start_ms, asked.end_ms, step_ms)
    return grid.since(grid.end_ms - most * step_ms) if grid.count > most else grid


def _finer(asked: Asked, reader: Reader, told: Grid) -> tuple[Grid, int]:
    """Finer steps of which a whole number makes each that is told, and that number."""
    most = min(_CHOSEN_FROM, MOST_POINTS // max(1, told.count))
    least = reader.best_tier(told.step_ms // max(1, most), asked.start_ms).step_ms
    for width in range(most, 0, -1):
        step, rest = divmod(told.step_ms, width)
        if not rest and step % 1000 == 0 and (not least or step % least == 0):
            return Grid(told.start_ms, step, told.count * width), width
    return told, 1


def require_few(series: int, grid: Grid, layers: int) -> None:
    """Raises InvalidRequest where there are more values than one answer may be made of."""
    values = series * grid.count * layers
    if values > _MOST_VALUES:
        raise InvalidRequest(
            f"{series} series of {grid.count} steps are {values} values, and {_MOST_VALUES} are the most; ask for "
            "fewer metrics, with matchers of labels, or for wider steps.",
            code="too_many_values",
            details={"series": series, "points": grid.count},
        )
