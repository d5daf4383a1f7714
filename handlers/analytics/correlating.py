"""How columns go together, computed over rows here, or from sums that the source makes. Runs in a reader."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from analysis.associations.from_sums import ColumnSums, from_sums
from analysis.associations.matrix import associate
from analysis.associations.results import AssociationMatrix, AssociationOptions, Method
from analysis.frames import Frame
from connectors.connector import Connector
from connectors.datasets import Description, Kind
from connectors.errors import ConnectorError, StatementFailed
from handlers.analytics import counting
from handlers.analytics.computed import AnswerState, Computed
from handlers.analytics.loading import COUNTING_SHARE, most_rows, rows_of
from handlers.analytics.stopping import Course
from handlers.analytics.tasks import ColumnRead, Ran, RowsRead, Task

if TYPE_CHECKING:
    from connectors.pushdown.statistics import Moments

# Sums for every two of so many columns are some thousands, in a dozen passes of the source.
MOST_AT_SOURCE = 40
# Of the time; what is left is for reading rows, if need be.
_SHARE = 0.5
# A reader steps back behind the server, and gets what that leaves of the cores.
THREADS = max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))
# Elsewhere rows are as near as sums are.
_REMOTE = (Kind.POSTGRESQL, Kind.MYSQL)


def compute(
    frames: Mapping[str, Frame], task: Task, tell: Callable[[float, str], None], check: Callable[[], None]
) -> AssociationMatrix:
    options = {name: value for name, value in task.options.items() if name != "at_source"}
    made = msgspec.convert({**options, "seed": task.seed, "threads": THREADS}, AssociationOptions)
    return associate(frames[task.dataset], made, tell, check)


async def at_source(
    connector: Connector, description: Description, task: Task, course: Course
) -> Computed[AssociationMatrix] | list[str]:
    """Pearson's coefficients from sums over all rows, categories from counts of groups; notes on why not, where rows
    have to be read."""
    wish, method = task.options.get("at_source", "auto"), Method(task.options.get("method", Method.AUTO))
    if wish == "never" or method not in (Method.PEARSON, *counting.METHODS):
        return []
    if method in counting.METHODS:
        names = counting.category_columns(connector.kind, description, task.columns)
        refused = await _refused(connector, description, task, names)
        return await counting.at_source(connector, description, task, names, course) if refused is None else refused
    from connectors.pushdown.statistics import moments, numeric_columns  # noqa: PLC0415 - the writers of SQL

    names = numeric_columns(description, task.columns)
    refused = await _refused(connector, description, task, names)
    if refused is not None:
        return refused
    began = time.monotonic()
    course.tell(None, f"{task.dataset} is summed up at the source")
    try:
        async with asyncio.timeout(_SHARE * task.seconds):
            found = await moments(connector, description, names)
    except TimeoutError:
        return [f"The source did not sum it up within {_SHARE * task.seconds:g} s; rows were read instead."]
    except StatementFailed as error:
        return [f"The source did not sum it up: {str(error).rstrip('.')}; rows were read instead."]
    seconds = round(time.monotonic() - began, 3)
    options = msgspec.convert(
        {**{name: value for name, value in task.options.items() if name != "at_source"}, "seed": task.seed},
        AssociationOptions,
    )
    return _told(found, description, options, seconds)


async def _refused(connector: Connector, description: Description, task: Task, names: list[str]) -> list[str] | None:
    """None where the source shall compute; else notes, if anybody asked for it."""
    if len(names) < 2 or len(names) > MOST_AT_SOURCE:
        return [
            f"Rows were read: a source sums up 2 to {MOST_AT_SOURCE} columns of numbers, and these are {len(names)}."
        ]
    if task.options.get("at_source") == "always":
        return None
    if connector.kind not in _REMOTE:
        return []
    try:
        rows, _ = await rows_of(connector, description, COUNTING_SHARE * task.seconds)
    except ConnectorError:
        return []
    return None if rows is None or rows > most_rows(task.rows, len(names), connector.kind) else []


def _told(
    found: Moments, description: Description, options: AssociationOptions, seconds: float
) -> Computed[AssociationMatrix]:
    sums = [
        ColumnSums(
            name=each.name,
            numbers=each.numbers,
            infinities=each.present - each.numbers,
            is_constant=each.numbers > 0 and each.least == each.greatest,
        )
        for each in found.summaries
    ]
    result = from_sums(sums, found.n, found.correlation, found.rows, options)
    rows = RowsRead(
        read=found.rows,
        total=found.rows,
        total_is_estimate=False,
        is_sample=False,
        method="sums over all rows, made by the source",
        seed=None,
        bound=None,
    )
    ran = Ran(
        what="counts, sums and cross products",
        where="source",
        seconds=seconds,
        rows=found.rows,
        statements=found.statements,
    )
    columns = [_column(each.name, found.rows, each.present, each.numbers, description) for each in found.summaries]
    return Computed(state=AnswerState.DONE, rows=rows, columns=columns, ran=[ran], notes=[], result=result)


def _column(name: str, rows: int, present: int, numbers: int, description: Description) -> ColumnRead:
    column: Any = description.column(name)
    return ColumnRead(
        name=name,
        original=name,
        role="numeric",
        kind=column.logical_type.value,
        nulls=rows - numbers,
        infinities=present - numbers,
        misfits=0,
        cut=0,
        status="ok" if numbers else "empty",
        note=None if numbers else "no row has a value",
    )
