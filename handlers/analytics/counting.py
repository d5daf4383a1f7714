"""How categories go together, from counts of groups that the source makes. Runs in a reader.

The counts of two columns together, nulls included, are all that a table of these two columns says: what is computed
over them is what would be computed over the rows.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from analysis.associations.matrix import associate
from analysis.associations.multiplicity import corrected
from analysis.associations.results import AssociatedColumn, AssociationMatrix, AssociationOptions, Method, Pair
from analysis.columns import Kind, objects
from analysis.frames import Frame, FrameColumn, Role
from connectors.connector import Connector, chosen_columns
from connectors.datasets import Description, LogicalType
from connectors.datasets import Kind as SourceKind
from connectors.errors import StatementFailed
from handlers.analytics.computed import AnswerState, Computed
from handlers.analytics.loading import TEXT_LIMIT
from handlers.analytics.stopping import Course
from handlers.analytics.tasks import ColumnRead, Ran, RowsRead, Task

METHODS = (Method.CRAMERS_V, Method.THEILS_U)
MOST_GROUPS = 50_000
# Each is a number in memory while a pair is computed.
MOST_ROWS = 50_000_000
_SHARE = 0.5

Groups = Counter[tuple[str | None, str | None]]


def category_columns(kind: SourceKind, description: Description, names: Sequence[str] | None) -> list[str]:
    """The columns whose values a source groups as we tell them apart. MySQL takes `a` and `A` for one."""
    wanted = () if kind is SourceKind.MYSQL else (LogicalType.TEXT, LogicalType.BOOLEAN)
    return [column.name for column in chosen_columns(description, names) if column.logical_type in wanted]


async def at_source(
    connector: Connector, description: Description, task: Task, names: Sequence[str], course: Course
) -> Computed[AssociationMatrix] | list[str]:
    """The matrix of these columns; a note on why not, where rows have to be read."""
    began, found = time.monotonic(), dict[tuple[str, str], Groups]()
    pairs = list(itertools.combinations(names, 2))
    try:
        async with asyncio.timeout(_SHARE * task.seconds):
            for place, pair in enumerate(pairs):
                course.tell(place / len(pairs), f"{pair[0]} and {pair[1]} are counted at the source")
                groups = await _counted(connector, description, pair)
                if groups is None:
                    return [f"Rows were read: {pair[0]} and {pair[1]} have more than {MOST_GROUPS} groups of values."]
                if groups.total() > MOST_ROWS:
                    return [f"Rows were read: there are more than {MOST_ROWS} of them to be counted."]
                found[pair] = groups
    except TimeoutError:
        return [f"The source did not count them within {_SHARE * task.seconds:g} s; rows were read instead."]
    except StatementFailed as error:
        return [f"The source did not count them: {str(error).rstrip('.')}; rows were read instead."]
    seconds = round(time.monotonic() - began, 3)
    options = {name: value for name, value in task.options.items() if name not in ("at_source", "time")}
    made = msgspec.convert({**options, "seed": task.seed}, AssociationOptions)
    return _told(await course.compute(lambda: _matrix(found, made, course)), found, seconds)


async def _counted(connector: Connector, description: Description, pair: tuple[str, str]) -> Groups | None:
    from connectors.pushdown.statistics import counts_by  # noqa: PLC0415 - the writers of SQL

    groups = await counts_by(connector, description, pair, most=MOST_GROUPS)
    if not groups.complete:
        return None
    counts: Groups = Counter()
    logical = [next(each.logical_type for each in description.columns if each.name == name) for name in pair]
    for (first, second), count in groups.counts.items():
        counts[_text(first, logical[0]), _text(second, logical[1])] += count
    return counts


def _text(value: Any, logical_type: LogicalType) -> str | None:
    if value is None:
        return None
    return str(bool(value)).lower() if logical_type is LogicalType.BOOLEAN else str(value)[:TEXT_LIMIT]


def _matrix(found: dict[tuple[str, str], Groups], options: AssociationOptions, course: Course) -> AssociationMatrix:
    """Of the matrices of each two columns."""
    columns, pairs, last = dict[str, AssociatedColumn](), list[Pair](), None
    for groups in found.items():
        course.check()
        last = associate(_frame(*groups), options, lambda _, __: None, course.check)
        columns.update({column.name: column for column in last.columns})
        pairs += last.pairs
    assert last is not None
    tested = [place for place, pair in enumerate(pairs) if pair.p is not None]
    q = corrected(np.array([pairs[place].p for place in tested], dtype=np.float64), len(tested), options.correction)
    for place, value in zip(tested, q.tolist(), strict=True):
        pairs[place] = replace(pairs[place], q=value)
    kept = sorted(pairs, key=lambda pair: (1.0 if pair.strength is None else -pair.strength, pair.a, pair.b))
    kept = kept[: options.max_pairs]
    return replace(
        last,
        columns=tuple(columns.values()),
        pairs=tuple(kept),
        pairs_possible=len(pairs),
        pairs_left_out=len(pairs) - len(kept),
        rule=f"the {len(kept)} strongest of {len(pairs)} pairs are listed" if len(kept) < len(pairs) else None,
        tests=len(tested),
        discoveries=sum(pair.q is not None and pair.q <= 1 - options.level for pair in pairs),
        time_column=None,
    )


def _frame(names: tuple[str, str], groups: Groups) -> Frame:
    """The table that these counts tell of, in some order of its rows."""
    counts = np.fromiter(groups.values(), dtype=np.int64, count=len(groups))
    columns = []
    for side, name in enumerate(names):
        codes = dict[str, int]()
        of_group = np.fromiter(
            (-1 if (text := group[side]) is None else codes.setdefault(text, len(codes)) for group in groups),
            dtype=np.int32,
            count=len(groups),
        )
        values = np.repeat(of_group, counts)
        columns.append(FrameColumn(name, Role.CATEGORY, Kind.TEXT, values, objects(list(codes)), original=name))
    rows = int(counts.sum())
    return Frame(tuple(columns), rows, rows)


def _told(
    result: AssociationMatrix, found: dict[tuple[str, str], Groups], seconds: float
) -> Computed[AssociationMatrix]:
    rows = RowsRead(
        read=result.rows,
        total=result.rows,
        total_is_estimate=False,
        is_sample=False,
        method="counts of groups over all rows, made by the source",
        seed=None,
        bound=None,
    )
    ran = Ran(what="counts of groups", where="source", seconds=seconds, rows=result.rows, statements=len(found))
    columns = [
        ColumnRead(
            name=column.name,
            original=column.name,
            role=Role.CATEGORY.value,
            kind=Kind.TEXT.value,
            nulls=result.rows - column.rows_with_value,
            infinities=0,
            misfits=0,
            cut=0,
            status="ok" if column.rows_with_value else "empty",
            note=None if column.rows_with_value else "no row has a value",
        )
        for column in result.columns
    ]
    return Computed(state=AnswerState.DONE, rows=rows, columns=columns, ran=[ran], notes=[], result=result)
