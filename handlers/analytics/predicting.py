"""What comes next, or what a column would be: forecasts over time, and a column out of the others. Runs in a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from analysis.columns import Kind
from analysis.forecast.answers import ForecastOptions, ForecastStatus
from analysis.forecast.predict import forecast
from analysis.frames import Frame, FrameColumn, Role
from analysis.prediction.answer import PredictionOptions, Status
from handlers.analytics.result_types import Prediction
from handlers.analytics.stopping import Refused
from handlers.analytics.tasks import Task

# Beside reading; what was computed by then is told.
_SHARE = 0.5


def compute(
    frames: Mapping[str, Frame], task: Task, tell: Callable[[float, str], None], check: Callable[[], None]
) -> Prediction:
    frame, options = frames[task.dataset], task.options
    if options.get("time") is not None:
        return Prediction(forecast=forecast(frame, _forecast_options(task), tell, check))
    # Loaded by itself: it takes seconds, and most questions do not need it.
    from analysis.prediction.models import PredictionUnavailable  # noqa: PLC0415
    from analysis.prediction.predict import predict_column  # noqa: PLC0415

    try:
        made = _prediction_options(task)
        if made.target in task.hidden:
            # Which rows have the same value would be told, though not which value.
            made = replace(made, predictions=0)
        return Prediction(column=predict_column(frame, made, tell, check))
    except PredictionUnavailable as error:
        raise Refused("prediction_not_installed", str(error)) from None


def tells(task: Task, frame: Frame) -> list[str]:
    """The columns whose values are what is answered; of texts the names stay hidden anyway."""
    named = [task.options.get("target"), task.options.get("time")]
    return [column.name for column in frame.columns if column.name in named and _tells(column)]


def _tells(column: FrameColumn) -> bool:
    return column.role in (Role.NUMERIC, Role.TIME) or column.kind is Kind.BOOLEAN


def is_whole(found: Prediction) -> bool:
    if found.column is not None:
        return found.column.status not in (Status.PARTIAL, Status.OUT_OF_TIME)
    series = found.forecast.series if found.forecast is not None else ()
    return all(each.status is not ForecastStatus.OUT_OF_TIME for each in series)


def _forecast_options(task: Task) -> ForecastOptions:
    options = task.options
    return msgspec.convert(
        {
            **_known(task, ForecastOptions),
            "target": options["target"],
            "levels": options["level"],
            "periods": options["period"],
            "budget_seconds": task.seconds * _SHARE,
        },
        ForecastOptions,
    )


def _prediction_options(task: Task) -> PredictionOptions:
    return msgspec.convert(
        {**_known(task, PredictionOptions), "level": task.options["level"][-1], "seconds": task.seconds * _SHARE},
        PredictionOptions,
    )


def _known(task: Task, options: type[ForecastOptions | PredictionOptions]) -> dict[str, object]:
    """The question's parameters of these names; what was not said is left to them."""
    names = options.__dataclass_fields__
    said = {name: value for name, value in task.options.items() if name in names and value is not None}
    return {**said, "seed": task.seed}
