"""Checks of rows, one class a kind of condition: which rows of a batch were looked at and which of them fail."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from analysis.rules.expressions import Expression, ExpressionFailed
from analysis.rules.patterns import SafePattern
from analysis.rules.rows import Rows, json_value, utc
from analysis.rules.rule_types import (
    AllowedValues,
    Completeness,
    Pattern,
    Range,
    Referential,
    RowExpression,
    RuleError,
    Uniqueness,
)


@dataclass(slots=True)
class Looked:
    """At `checked` rows of a batch; `failing` are their places in it."""

    checked: int
    failing: list[int]
    errors: int = 0
    error: str | None = None
    withdrawn: list[Any] = field(default_factory=list)
    """Keys of rows of earlier batches that fail because of this one."""


class RowCheck(Protocol):
    def look(self, rows: Rows) -> Looked: ...


def values_of(rows: Rows, column: str) -> list[Any]:
    try:
        return rows.columns[column]
    except KeyError:
        raise RuleError(f"there is no column {column!r}; there are {', '.join(map(repr, rows.columns))}") from None


class CompletenessCheck:
    def __init__(self, condition: Completeness) -> None:
        self._condition = condition

    def look(self, rows: Rows) -> Looked:
        values = values_of(rows, self._condition.column)
        return Looked(len(values), [place for place, value in enumerate(values) if self._is_missing(value)])

    def _is_missing(self, value: Any) -> bool:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return True
        return self._condition.blank_is_null and isinstance(value, str) and not value.strip()


class ValueCheck:
    """Each value on its own, nulls left out; of equal values only one is looked at."""

    def __init__(self, column: str, passes: Callable[[list[Any]], Iterable[bool]]) -> None:
        self._column = column
        self._passes = passes

    def look(self, rows: Rows) -> Looked:
        values = values_of(rows, self._column)
        # A value that cannot be hashed (a list of JSON) stands for itself.
        different = {_key(value): value for value in values if value is not None}
        passed = dict(zip(different, self._passes(list(different.values())), strict=True))
        present = [(place, value) for place, value in enumerate(values) if value is not None]
        return Looked(len(present), [place for place, value in present if not passed[_key(value)]])


def _key(value: Any) -> Any:
    """Equal for values that are the same and of one type: True is not 1 here."""
    try:
        hash(value)
    except TypeError:
        return (type(value), repr(value))
    return (type(value), value)


def range_check(condition: Range) -> ValueCheck:
    low, high = condition.min, condition.max
    if low is None and high is None:
        raise RuleError("a range has a `min`, a `max` or both")
    if low is not None and high is not None:
        if isinstance(low, str) is not isinstance(high, str):
            raise RuleError(f"the ends of a range are of one type, not {low!r} and {high!r}")
        if low > high:  # type: ignore[operator]
            raise RuleError(f"a range goes from the smaller to the larger value, not from {low!r} to {high!r}")
    return ValueCheck(condition.column, lambda values: [_is_between(value, low, high) for value in values])


def _is_between(value: Any, low: Any, high: Any) -> bool:
    try:
        return (low is None or _comparable(low, value) <= _comparable(value, value)) and (
            high is None or _comparable(value, value) <= _comparable(high, value)
        )
    except (TypeError, ValueError, ArithmeticError):
        return False  # what cannot be compared is in no range


def _comparable(bound: Any, value: Any) -> Any:
    """A bound as it compares with the value: text that stands for a time where the value is one."""
    match value:
        case datetime.datetime():
            moment = datetime.datetime.fromisoformat(bound) if isinstance(bound, str) else bound
            if not isinstance(moment, datetime.datetime):
                raise TypeError(f"{bound!r} is no time")
            return utc(moment)
        case datetime.date():
            return datetime.date.fromisoformat(bound) if isinstance(bound, str) else bound
        case datetime.time():
            return datetime.time.fromisoformat(bound) if isinstance(bound, str) else bound
        case Decimal() if isinstance(bound, float):
            return Decimal(repr(bound))
        case _:
            return bound


def allowed_check(condition: AllowedValues) -> ValueCheck:
    if condition.ignore_case:
        folded = {value.casefold() if isinstance(value, str) else value for value in condition.values}
        return ValueCheck(
            condition.column, lambda values: [_is_among(_folded(json_value(value)), folded) for value in values]
        )
    allowed = frozenset(condition.values)
    return ValueCheck(condition.column, lambda values: [_is_among(value, allowed) for value in values])


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _is_among(value: Any, allowed: Collection[Any]) -> bool:
    try:
        return value in allowed or json_value(value) in allowed
    except TypeError:
        return False


def referential_check(condition: Referential, known: Collection[Any]) -> ValueCheck:
    return ValueCheck(condition.column, lambda values: [_is_among(value, known) for value in values])


def pattern_check(condition: Pattern) -> ValueCheck:
    pattern = SafePattern(condition.pattern, anywhere=condition.anywhere, ignore_case=condition.ignore_case)
    return ValueCheck(condition.column, lambda values: pattern.matches([str(json_value(value)) for value in values]))


class ExpressionCheck:
    def __init__(self, condition: RowExpression) -> None:
        self._expression = Expression(condition.expression, ("row",))

    def look(self, rows: Rows) -> Looked:
        names, looked = list(rows.columns), Looked(len(rows), [])
        for place, values in enumerate(zip(*rows.columns.values(), strict=True)):
            row = {name: json_value(value) for name, value in zip(names, values, strict=True)}
            try:
                if not self._expression.holds({"row": row}):
                    looked.failing.append(place)
            except ExpressionFailed as error:
                looked.failing.append(place)
                looked.errors += 1
                looked.error = looked.error or str(error)
        return looked


class UniquenessCheck:
    """Every row whose values another row has as well fails, the first of them too."""

    # A dictionary of more takes gigabytes; a query can count them where they are.
    MOST_KEPT = 5_000_000

    def __init__(self, condition: Uniqueness) -> None:
        self._columns = condition.columns
        self._first: dict[Any, Any] = {}
        """The key of the first row with the values; None once that row was counted as failing."""

    def look(self, rows: Rows) -> Looked:
        looked = Looked(0, [])
        for place, values in enumerate(zip(*(values_of(rows, column) for column in self._columns), strict=True)):
            if any(value is None for value in values):
                continue
            looked.checked += 1
            identity = tuple(map(_key, values))
            if identity not in self._first:
                self._first[identity] = (rows.keys[place],)
                continue
            looked.failing.append(place)
            first = self._first[identity]
            if first is not None:
                looked.withdrawn.append(first[0])
                self._first[identity] = None
        if len(self._first) > self.MOST_KEPT:
            raise RuleError(
                f"more than {self.MOST_KEPT} different values to hold; "
                "state the rule as a query with GROUP BY and HAVING"
            )
        return looked
