"""The rows behind an insight as SQL, in the dialect of the source that they are in."""

from __future__ import annotations

import msgspec
from sqlglot import errors, exp

from analysis.insights.findings import Condition, Measure, Query, Value

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_FUNCTIONS: dict[str, type[exp.Func]] = {"sum": exp.Sum, "avg": exp.Avg, "min": exp.Min, "max": exp.Max}


def with_sql(
    query: Query, table: tuple[str, ...], dialect: str, originals: dict[str, str], times: frozenset[str] = frozenset()
) -> Query:
    """The query with its SQL; `originals` are the source's names of the frame's columns, `times` those of dates and
    times. Empty text where the dialect cannot say it."""
    try:
        sql = _select(query, table, originals, times).sql(dialect=dialect or None, identify=True)
    except (errors.SqlglotError, ValueError):
        sql = ""
    return msgspec.structs.replace(query, sql=sql)


def _select(query: Query, table: tuple[str, ...], originals: dict[str, str], times: frozenset[str]) -> exp.Select:
    def column(name: str) -> exp.Column:
        return exp.column(exp.to_identifier(originals.get(name, name), quoted=True))

    grouped: list[exp.Expr] = [column(name) for name in query.group_by]
    shown: list[exp.Expr] = list(grouped)
    if query.time is not None and query.period is not None:
        period = exp.TimestampTrunc(this=column(query.time), unit=exp.var(query.period.upper()))
        grouped.append(period)
        shown.append(exp.alias_(period.copy(), "period", quoted=True))
    shown += [exp.alias_(_aggregate(measure, originals), _label(measure), quoted=True) for measure in query.measures]
    shown += [column(name) for name in query.columns]
    select = exp.select(*(shown or [exp.Star()])).from_(_table(table))
    for condition in query.where:
        select = select.where(_condition(condition, column(condition.column), condition.column in times))
    for group in grouped if query.measures else []:
        select = select.group_by(group.copy())
    if query.order_by is not None:
        by = (
            exp.column(exp.to_identifier(_label(query.measures[0]), quoted=True))
            if query.order_by == "measure" and query.measures
            else exp.column(exp.to_identifier("period", quoted=True))
            if query.order_by == "period"
            else column(query.order_by)
        )
        select = select.order_by(exp.Ordered(this=by, desc=query.descending or None))
    return select.limit(query.limit) if query.limit is not None else select


def _table(path: tuple[str, ...]) -> exp.Table:
    """Catalog, schema and name, of which the first may be missing."""
    name, schema, catalog = (*reversed(path[-3:]), None, None)[:3]
    return exp.table_(name or "data", db=schema, catalog=catalog, quoted=True)


def _label(measure: Measure) -> str:
    return "rows" if measure.column is None else f"{measure.function} of {measure.column}"


def _aggregate(measure: Measure, originals: dict[str, str]) -> exp.Expr:
    if measure.column is None or measure.function == "count":
        return exp.Count(this=exp.Star())
    name = originals.get(measure.column, measure.column)
    return _FUNCTIONS[measure.function](this=exp.column(exp.to_identifier(name, quoted=True)))


def _condition(condition: Condition, column: exp.Column, is_time: bool) -> exp.Expr:
    match condition.operator:
        case "is null":
            return exp.Is(this=column, expression=exp.null())
        case "is not null":
            return exp.not_(exp.Is(this=column, expression=exp.null()))
        case "in":
            values = condition.value if isinstance(condition.value, list) else [condition.value]
            return exp.In(this=column, expressions=[_literal(value) for value in values])
        case operator:
            assert not isinstance(condition.value, list)
            return _COMPARISONS[operator](this=column, expression=_literal(condition.value, is_time))


def _literal(value: Value, is_time: bool = False) -> exp.Expr:
    if is_time and isinstance(value, str):
        return exp.cast(exp.convert(value.replace("T", " ")), "timestamp")
    return exp.convert(value)
