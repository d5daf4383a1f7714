"""One question of one dataset, answered where its rows are read. Runs in a reader."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from analysis.access_policies.views import OPEN
from analysis.frames import Frame, Role, role_of
from connectors.connector import Connector
from connectors.datasets import Column, DatasetRef
from connectors.errors import ConnectorError
from handlers.analytics.computed import AnswerState, Computed, Failure
from handlers.analytics.hiding import hidden, sensitive_columns
from handlers.analytics.loading import LOADING_SHARE, Loaded, load
from handlers.analytics.stopping import Course, OutOfTime, Refused, Stopped
from handlers.analytics.tasks import ColumnRead, Ran, RowsRead, Task
from handlers.analytics.untold import without_values
from handlers.analytics.visible_rows import masked_columns, visible_description
from handlers.analytics.ways import Way, way_of
from handlers.column_kinds import KIND_OF
from handlers.source_readers import Tell

logger = logging.getLogger(__name__)

# Of the progress that is told; the rest is computing.
LOADING = 0.4
# Of other datasets; what compares them works with sketches of their values.
MOST_RELATED_ROWS = 100_000


async def answer(connector: Connector, tell: Tell, task: Task) -> bytes:
    """The Computed as JSON. Raises ConnectorError where nothing could be read."""
    return msgspec.json.encode(await analyse(connector, tell, task))


async def analyse(connector: Connector, tell: Tell, task: Task) -> Computed[Any]:
    try:
        return await _analysed(connector, Course(task.seconds, tell), task)
    except OutOfTime:
        return _unread(task)


async def _analysed(connector: Connector, course: Course, task: Task) -> Computed[Any]:
    way = way_of(task.kind)
    course.tell(0.0, f"describing {task.dataset}")
    description = await connector.describe(DatasetRef(task.schema_name, task.name))
    task = msgspec.structs.replace(task, hidden=masked_columns(description, task.view) | task.hidden)
    notes: list[str] = []
    # A source sums up all rows, those too that are kept back.
    if way.at_source is not None and not task.view.rows:
        found = await way.at_source(connector, visible_description(description, task.view), task, course)
        if isinstance(found, Computed):
            names = [column.name for column in found.columns if column.original in task.hidden]
            return msgspec.structs.replace(found, result=without_values(task.kind, found.result, task.dataset, names))
        notes += found
    loaded = await load(connector, task, description, tell=_rows_told(course, task))
    others = {f"{schema}.{name}" if schema else name: (schema, name) for schema, name in task.related}
    frames = {task.dataset: loaded.frame}
    for label, (schema, name) in others.items():
        frames.update(await _related(connector, task, course, label, DatasetRef(schema, name), loaded, notes))
    return await _computed(way, task, course, loaded, frames, notes)


async def _related(
    connector: Connector, task: Task, course: Course, label: str, ref: DatasetRef, loaded: Loaded, notes: list[str]
) -> dict[str, Frame]:
    """Another dataset of the source; what is wrong with it is noted, and takes nothing from the rest."""
    if course.left < (1 - LOADING_SHARE) * task.seconds:
        notes.append(f"There was no time to read {label}.")
        return {}
    course.tell(None, f"reading {label}")
    rows = min(task.rows or MOST_RELATED_ROWS, MOST_RELATED_ROWS)
    share = (course.left - (1 - LOADING_SHARE) * task.seconds) / LOADING_SHARE
    # Others take part only if all of their rows and columns may be seen.
    one = msgspec.structs.replace(task, dataset=label, columns=None, rows=rows, seconds=max(share, 0.1), view=OPEN)
    try:
        found = await load(connector, one, await connector.describe(ref), tell=_rows_told(course, one))
    except ConnectorError as error:
        notes.append(f"{label} was left out: {str(error).rstrip('.')}.")
        return {}
    except OutOfTime:
        notes.append(f"There was no time to read {label}.")
        return {}
    loaded.ran += found.ran
    notes += [f"{label}: {note}" for note in found.notes]
    return {label: found.frame}


async def _computed(
    way: Way, task: Task, course: Course, loaded: Loaded, frames: dict[str, Frame], notes: list[str]
) -> Computed[Any]:
    began = time.monotonic()
    why: dict[str, str] = {}

    def work() -> Any:
        if way.shows_levels or way.shows_numbers:
            why.update(sensitive_columns(loaded.frame, task.hidden, beside=[task.name]))
            _refuse_hidden(way.tells(task, loaded.frame), why)
            frames[task.dataset] = hidden(loaded.frame, why, keep_numbers=not way.shows_numbers)
        result = way.compute(frames, msgspec.structs.replace(task, hidden=why), course.part(LOADING), course.check)
        names = [column.name for column in loaded.frame.columns if column.original in task.hidden]
        return without_values(task.kind, result, task.dataset, names)

    result: Any = None
    error: Failure | None = None
    try:
        result = await course.compute(work)
    except OutOfTime:
        error = _out_of_time(task)
    except Refused as refusal:
        error = Failure(code=refusal.code, message=refusal.message)
    except (Stopped, MemoryError):
        raise
    except Exception as fault:
        # Whatever it is, the rest of the answer stands; its text might tell a value.
        logger.exception("%s of %s could not be computed", task.kind.value, task.dataset)
        message = f"The server failed to compute it ({type(fault).__name__}); it is in its log."
        error = Failure(code="analysis_failed", message=message)
    ran = Ran(
        what=f"{task.kind.value} were computed",
        where="server",
        seconds=round(time.monotonic() - began, 3),
        rows=loaded.rows.read,
    )
    is_whole = result is None or way.is_whole(result)
    is_partial = loaded.rows.method == "first rows" or bool(loaded.left_out) or not is_whole
    if not is_whole:
        notes.append(f"There was not time for all of it within {task.seconds:g} s; the result says what is missing.")
    state = AnswerState.FAILED if error else AnswerState.PARTIAL if is_partial else AnswerState.DONE
    return Computed(
        state=state,
        rows=loaded.rows,
        columns=[*_columns(loaded.frame, why), *map(_left_out, loaded.left_out)],
        ran=[*loaded.ran, ran],
        notes=[*notes, *loaded.notes],
        result=result,
        error=error,
        lasts=error is None and not loaded.is_broken and is_whole,
        may_tell_values=way.shows_levels or way.shows_numbers,
    )


def _out_of_time(task: Task) -> Failure:
    message = f"It was not computed within {task.seconds:g} s; ask for fewer columns or rows, or give it more time."
    return Failure(code="out_of_time", message=message)


def _unread(task: Task) -> Computed[Any]:
    """Where the time was over before the first row came."""
    rows = RowsRead(
        read=0, total=None, total_is_estimate=False, is_sample=False, method="no rows", seed=None, bound=None
    )
    error = _out_of_time(task)
    return Computed(state=AnswerState.FAILED, rows=rows, columns=[], ran=[], notes=[], error=error, lasts=False)


def _refuse_hidden(names: list[str], why: Mapping[str, str]) -> None:
    """Raises Refused for a column of which nothing may be told."""
    for name in names:
        if name in why:
            raise Refused("hidden_column", f"The answer would tell values of {name!r}, which may hold: {why[name]}.")


def _rows_told(course: Course, task: Task) -> Callable[[int, int | None], None]:
    def tell(rows: int, total: int | None) -> None:
        share = LOADING * min(1.0, rows / total) if total else None
        course.tell(share, f"read {rows} rows of {task.dataset}")

    return tell


def _columns(frame: Frame, why: Mapping[str, str]) -> list[ColumnRead]:
    return [_column(frame, place, why.get(name)) for place, name in enumerate(frame.names)]


def _left_out(column: Column) -> ColumnRead:
    return ColumnRead(
        name=column.name,
        original=column.name,
        role=role_of(KIND_OF[column.logical_type]).value,
        kind=KIND_OF[column.logical_type].value,
        nulls=0,
        infinities=0,
        misfits=0,
        cut=0,
        status="left_out",
        note="it was not read",
    )


def _column(frame: Frame, place: int, why: str | None) -> ColumnRead:
    column = frame.columns[place]
    status, note = "ok", None
    if column.nulls == frame.rows:
        status, note = "empty", "no row has a value"
    elif why is not None:
        status, note = "hidden", f"values are not shown, as the column may hold: {why}"
    elif column.role is Role.OTHER:
        status, note = "not_analysed", f"only whether there is a value is looked at in {column.kind.value} columns"
    return ColumnRead(
        name=column.name,
        original=column.original,
        role=column.role.value,
        kind=column.kind.value,
        nulls=column.nulls,
        infinities=column.infinities,
        misfits=column.misfits,
        cut=column.cut,
        status=status,
        note=note,
    )
