"""What an insight says, as it goes into JSON: plain values, finite numbers, None where there is none."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Value = int | float | str | bool | None
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "is null", "is not null", "in"]
Function = Literal["count", "sum", "avg", "min", "max"]
Unit = Literal["count", "share", "value", "ratio", "correlation", "deviations", "score", "time", "text", "steps"]


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of an insight. `unit` says how to read it: `value` is in the unit of the column, `share` from 0 to 1,
    `time` is ISO 8601. `low` and `high` are the ends of its interval, where it has one."""

    value: Value
    unit: Unit
    low: float | None = None
    high: float | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What rows have to meet; `value` is a list for `in`, None for `is null` and `is not null`. Times are ISO 8601."""

    column: str
    operator: Operator
    value: Value | list[Value] = None


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate; `column` is None for the number of rows."""

    function: Function
    column: str | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """The rows behind an insight: those that meet all conditions, in groups where `group_by` or `period` says so.

    `period` truncates `time` to a unit (`day`, `month`...). `order_by` is `measure` or a column. `sql` is the same as
    text, in the dialect that was asked for.
    """

    where: list[Condition] = []
    group_by: list[str] = []
    time: str | None = None
    period: str | None = None
    measures: list[Measure] = []
    columns: list[str] = []
    order_by: str | None = None
    descending: bool = False
    limit: int | None = None
    sql: str = ""


class Also(msgspec.Struct, frozen=True, kw_only=True):
    """Another insight that says what this one says."""

    id: str
    type: str
    columns: list[str]


class Insight(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `id` stays the same while the fact does, whatever its figures become.

    `score` = `impact` (share of the rows that it is about) x `significance` ((1 - q) x how strong the effect is), all
    from 0 to 1. `p` and `q` are None of plain facts, in which chance has no part. `n` of the dataset's `of` rows (None:
    not counted) were looked at. `subspace` is the part of the rows it is about; `also` are insights that say the
    same and are not listed. `chart` is a Vega-Lite specification with its data inside.
    """

    id: str
    type: str
    columns: list[str]
    sentence: str
    numbers: dict[str, Number]
    score: float
    impact: float
    significance: float
    p: float | None
    q: float | None
    n: int
    of: int | None
    method: str
    query: Query
    chart: dict[str, Any]
    subspace: list[Condition] = []
    also: list[Also] = []


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one part of the work: a family of finders, or a column left out. `status` is `ok`, `budget` (cut
    short; `detail` says of what), `too_few`, `no_time`, `constant`, `empty`, `not_analysed`, `failed`..."""

    part: str
    status: str
    detail: str = ""
    tests: int = 0


class Insights(msgspec.Struct, frozen=True, kw_only=True):
    """Ranked insights of one dataset.

    `tests_performed` hypotheses were tested, `discoveries` of them hold at a false discovery rate of `level`
    (Benjamini-Hochberg over all of them); `facts` were found by counting, without a test. `shown` may be fewer than
    both: near-duplicates are one insight, and `limit` cuts the list. `complete` is False where a budget cut the search.
    """

    insights: list[Insight]
    tests_performed: int
    discoveries: int
    facts: int
    shown: int
    level: float
    correction: Literal["benjamini-hochberg"]
    rows: int
    total_rows: int | None
    sampled: bool
    seed: int
    complete: bool
    parts: list[Part]
