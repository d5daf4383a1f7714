"""Which rows of a batch a view shows. What cannot be evaluated for a row, keeps the row back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from analysis.access_policies.policies import RowCondition, RowsOfUser, RowsWhere
from analysis.access_policies.views import View
from analysis.columns import Array
from analysis.rules.expressions import Expression, ExpressionFailed
from analysis.rules.rows import Rows, json_value
from analysis.rules.rule_types import RuleError


class Condition(Protocol):
    def holds(self, rows: Rows) -> list[bool]: ...


class RowFilters:
    """All conditions of a view. One that is no condition any more shows no row."""

    def __init__(self, view: View) -> None:
        self._conditions = [_condition(each.condition, view) for each in view.rows]
        wanted = [each.condition.column for each in view.rows if isinstance(each.condition, RowsOfUser)]
        # An expression may look at any column.
        self.columns = None if len(wanted) < len(view.rows) else tuple(dict.fromkeys(wanted))

    def shown(self, rows: Rows) -> Array:
        """True for each row that is shown."""
        kept = np.ones(len(rows), dtype=bool)
        for condition in self._conditions:
            kept &= np.array(condition.holds(rows), dtype=bool)
        return kept


class _OfUser:
    def __init__(self, condition: RowsOfUser, view: View) -> None:
        self._column = condition.column
        self._wanted = view.user_id if condition.attribute == "id" else view.role

    def holds(self, rows: Rows) -> list[bool]:
        values: Sequence[Any] | None = rows.columns.get(self._column)
        if values is None or self._wanted is None:
            return [False] * len(rows)
        return [value is not None and str(json_value(value)) == self._wanted for value in values]


class _Where:
    def __init__(self, condition: RowsWhere, view: View) -> None:
        self._user = {"id": view.user_id or "", "role": view.role or ""}
        self._expression = Expression(condition.expression, ("row", "user"))

    def holds(self, rows: Rows) -> list[bool]:
        names = list(rows.columns)
        return [
            self._shows({name: json_value(value) for name, value in zip(names, values, strict=True)})
            for values in zip(*rows.columns.values(), strict=True)
        ]

    def _shows(self, row: dict[str, Any]) -> bool:
        try:
            return self._expression.holds({"row": row, "user": self._user})
        except ExpressionFailed:
            return False


class _Nothing:
    def holds(self, rows: Rows) -> list[bool]:
        return [False] * len(rows)


def _condition(condition: RowCondition, view: View) -> Condition:
    if isinstance(condition, RowsOfUser):
        return _OfUser(condition, view)
    try:
        return _Where(condition, view)
    except RuleError:
        return _Nothing()


def check(condition: RowCondition) -> None:
    """Raises RuleError for an expression that is no condition."""
    if isinstance(condition, RowsWhere):
        Expression(condition.expression, ("row", "user"))
