"""What a column will be over time, or what it is by the other columns of its row."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from analysis.prediction.answer import Task
from analysis.series.regular import Aggregate, Fill, known_zone
from analysis.series.steps import named_step
from handlers.analytics.answers import Analysis
from handlers.analytics.asking import answer
from handlers.analytics.events import watched
from handlers.analytics.grounds import Ground, ground_of, require_columns
from handlers.analytics.questions import ColumnName, Question
from handlers.analytics.result_types import Prediction
from handlers.analytics.tasks import AnalysisKind
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, Operation, Permission

# Of the few columns that a forecast needs; a sample of them would be another series.
_ROWS_OF_SERIES = 5_000_000

Levels = Annotated[
    tuple[Annotated[float, Meta(ge=0.5, le=0.999)], ...],
    Meta(min_length=1, max_length=5, description="Of intervals, such as 0.8 and 0.95."),
]


class GetPredictions(Question, frozen=True, kw_only=True):
    """With `time`, forecasts of `target` for `horizon` steps, of each group of `group_by`; without, `target` is
    predicted from the other columns.

    Forecasts: rows of one `step` (found in the stamps, or named as `day` or `15 minutes`) make one value by
    `aggregate`; `aggregate=count` needs no target. `period` are seasons in steps, found where none is named. `zone` is
    whose days are meant. `history` repeats so many of the last values.

    Prediction of a column: `task` says whether it is a number or a class, `group` names a column whose rows stay
    together when models are tested. `predictions` rows are predicted one by one, those without a target first.
    """

    target: ColumnName | None = None
    time: ColumnName | None = None
    horizon: Annotated[int, Meta(ge=1, le=1000)] | None = None
    level: Levels = (0.8, 0.95)
    group_by: Annotated[tuple[ColumnName, ...], Meta(max_length=5)] = ()
    aggregate: Aggregate = Aggregate.MEAN
    fill: Fill = Fill.AUTO
    step: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00]+$(?!\n)")] | None = None
    zone: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_+/-]+$(?!\n)")] | None = None
    period: Annotated[tuple[Annotated[int, Meta(ge=2, le=100_000)], ...], Meta(max_length=5)] | None = None
    most_groups: Annotated[int, Meta(ge=1, le=10_000)] = 200
    history: Annotated[int, Meta(ge=0, le=10_000)] = 0
    task: Task | None = None
    group: ColumnName | None = None
    keep_leaks: bool = False
    by_time: bool = True
    predictions: Annotated[int, Meta(ge=0, le=10_000)] = 0


async def get_predictions(context: Context, request: GetPredictions) -> Analysis[Prediction]:
    ground = await ground_of(context, request.dataset_id, request.columns)
    _check(request, ground)
    if request.time is not None:
        needed = dict.fromkeys([request.time, *([request.target] if request.target else []), *request.group_by])
        rows = request.rows or _ROWS_OF_SERIES
        request = msgspec.structs.replace(request, columns=list(needed), rows=rows)
    return await answer(context, AnalysisKind.PREDICTIONS, request, ground)


def _check(request: GetPredictions, ground: Ground) -> None:
    for name, value in (("target", request.target), ("time", request.time), ("group", request.group)):
        require_columns(name, [value] if value is not None else [], ground.columns, ground.dataset)
    require_columns("group_by", request.group_by, ground.columns, ground.dataset)
    counts = request.time is not None and request.aggregate is Aggregate.COUNT
    if request.target is None and not counts:
        raise _wrong("target", "Name the column to predict; or `time` with aggregate=count, to forecast how many rows.")
    if request.columns is not None and request.target is not None and request.target not in request.columns:
        raise _wrong("columns", "The target has to be among them.")
    if request.step is not None and named_step(request.step) is None:
        raise _wrong("step", f"{request.step!r} is no step; they are named as hour, 15 minutes, day, week, month.")
    if request.zone is not None and not known_zone(request.zone):
        raise _wrong("zone", f"{request.zone!r} is no time zone; they are named as Europe/Berlin.")


def _wrong(parameter: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{parameter}: {message}", details={"parameter": parameter})


OPERATIONS = (
    Operation(
        "analytics.predictions",
        GetPredictions,
        Analysis[Prediction],
        get_predictions,
        "GET /analytics/predictions/{dataset_id}",
        Permission.SIGNED_IN,
        "Forecast a column over time, or predict it from others.",
        errors=(Conflict, Forbidden),
        watched=watched(GetPredictions),
        stops_with_caller=True,
    ),
)
