"""Evaluating a rule: batch by batch over rows, or at once over a profile.

    evaluation = Evaluation(rule, now=now, references={"customers.id": ids})
    for batch in batches:
        evaluation.add(rows_of(batch, keys))
    result = evaluation.result()

A regular expression or CEL cannot run away, but a list of a million rows takes its time: evaluate in a worker.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from analysis.profile.figures import TableProfile
from analysis.rules.expressions import Expression, ExpressionFailed
from analysis.rules.row_checks import (
    CompletenessCheck,
    ExpressionCheck,
    RowCheck,
    UniquenessCheck,
    allowed_check,
    pattern_check,
    range_check,
    referential_check,
    values_of,
)
from analysis.rules.rows import Rows, utc
from analysis.rules.rule_types import (
    AllowedValues,
    Completeness,
    Condition,
    Freshness,
    Pattern,
    ProfileExpression,
    Range,
    Referential,
    RowCount,
    RowExpression,
    Rule,
    RuleError,
    RuleResult,
    SqlCondition,
    Uniqueness,
)
from analysis.rules.verdicts import MOST_SAMPLED, judged, met, not_evaluated

_PROFILE_NAMES = ("table", "columns")


def check_rule(rule: Rule) -> None:
    """Raises RuleError where the rule could never be evaluated: called before one is stored."""
    match rule.condition:
        case RowCount():
            _check_row_count(rule.condition)
        case ProfileExpression(expression=source):
            Expression(source, _PROFILE_NAMES)
        case SqlCondition(compare=compare, value=value) if (compare is None) is not (value is None):
            raise RuleError("`compare` and `value` come together, or neither for a query that brings the failing rows")
        case Freshness() | SqlCondition():
            pass
        case condition:
            _row_check(condition, {condition.reference: ()} if isinstance(condition, Referential) else {})


def _check_row_count(condition: RowCount) -> None:
    least, most = condition.min, condition.max
    if not least and most is None:
        raise RuleError("a row count has a `min` of 1 or more, a `max` or both; any number of rows is at least 0")
    if most is not None and most < least:
        raise RuleError(f"`max` is at least `min`, and {most} is less than {least}")


def columns_of(condition: Condition) -> tuple[str, ...] | None:
    """The columns that a condition reads; None for all of them, () for none."""
    match condition:
        case Uniqueness(columns=columns):
            return columns
        case RowExpression():
            return None
        case RowCount() | ProfileExpression() | SqlCondition():
            return ()
        case _:
            return (condition.column,)


class Evaluation:
    """Of one rule over rows. `now` is aware; `references` has the values of what Referential conditions name."""

    def __init__(
        self, rule: Rule, *, now: datetime.datetime, references: Mapping[str, Collection[Any]] | None = None
    ) -> None:
        """Raises RuleError where the rule is none, or one of a profile or a query."""
        if isinstance(rule.condition, ProfileExpression | SqlCondition):
            raise RuleError(f"rule {rule.name!r} is not evaluated over rows")
        if isinstance(rule.condition, RowCount):
            _check_row_count(rule.condition)
        self._rule = rule
        self._now = now
        self._rows = self._checked = self._failing = self._errors = 0
        self._error: str | None = None
        self._sample: list[Any] = []
        self._latest: datetime.datetime | None = None
        self._check: RowCheck | None = None
        if not isinstance(rule.condition, Freshness | RowCount):
            self._check = _row_check(rule.condition, references or {})

    def add(self, rows: Rows) -> None:
        """Raises RuleError where a column is missing."""
        self._rows += len(rows)
        if isinstance(self._rule.condition, Freshness):
            self._look_for_latest(values_of(rows, self._rule.condition.column))
        if self._check is None:
            return
        looked = self._check.look(rows)
        self._checked += looked.checked
        self._failing += len(looked.failing) + len(looked.withdrawn)
        self._errors += looked.errors
        self._error = self._error or looked.error
        if len(self._sample) < MOST_SAMPLED:
            self._sample += [*looked.withdrawn, *(rows.keys[place] for place in looked.failing[:MOST_SAMPLED])]

    def result(self) -> RuleResult:
        match self._rule.condition:
            case RowCount(min=least, max=most):
                holds = least <= self._rows and (most is None or self._rows <= most)
                wanted = f"at least {least}" if most is None else f"from {least} to {most}"
                return met(self._rule, holds, f"there are {self._rows} rows, and {wanted} were expected")
            case Freshness(max_age_seconds=most_seconds):
                return self._freshness(most_seconds)
            case _:
                return judged(self._rule, self._checked, self._failing, self._sample, self._errors, self._error)

    def _look_for_latest(self, values: list[Any]) -> None:
        for value in values:
            moment = _moment(value)
            if moment is not None and (self._latest is None or moment > self._latest):
                self._latest = moment

    def _freshness(self, most_seconds: int) -> RuleResult:
        if self._latest is None:
            return not_evaluated(self._rule, "the column holds no time")
        age = (self._now - self._latest).total_seconds()
        reason = f"the latest is {self._latest.isoformat()}, {age:.0f} s old, and {most_seconds} s were allowed"
        return met(self._rule, age <= most_seconds, reason)


def _moment(value: Any) -> datetime.datetime | None:
    """A time as aware; the start of the day for a date, and for text what it says."""
    match value:
        case datetime.datetime():
            return utc(value)
        case datetime.date():
            return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
        case str():
            try:
                return utc(datetime.datetime.fromisoformat(value))
            except ValueError:
                return None
        case _:
            return None


def _row_check(condition: Condition, references: Mapping[str, Collection[Any]]) -> RowCheck:
    match condition:
        case Completeness():
            return CompletenessCheck(condition)
        case Uniqueness():
            return UniquenessCheck(condition)
        case Range():
            return range_check(condition)
        case AllowedValues():
            return allowed_check(condition)
        case Pattern():
            return pattern_check(condition)
        case RowExpression():
            return ExpressionCheck(condition)
        case Referential(reference=reference):
            if reference not in references:
                raise RuleError(f"the values of {reference!r} were not given")
            return referential_check(condition, references[reference])
        case _:
            raise RuleError(f"{type(condition).__name__} is not about rows")


def profile_result(rule: Rule, profile: TableProfile) -> RuleResult:
    """Of a rule over the profile's figures: `table` is the profile without columns, `columns` has those by name."""
    if not isinstance(rule.condition, ProfileExpression):
        raise RuleError(f"rule {rule.name!r} is not about a profile")
    expression = Expression(rule.condition.expression, _PROFILE_NAMES)
    data = msgspec.to_builtins(profile)
    columns = {column["name"]: column for column in data.pop("columns")}
    try:
        holds = expression.holds({"table": data, "columns": columns})
    except ExpressionFailed as error:
        return not_evaluated(rule, f"the expression could not be computed: {error}")
    return met(rule, holds, "the expression is true" if holds else "the expression is false")
