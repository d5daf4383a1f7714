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


class _Condition(Protocol):
    columns: tuple[str, ...]

    def holds(self, rows: Rows) -> list[bool]: ...


class RowFilters:
    """All conditions of a view on a dataset with the columns `known`. One that is no condition any more shows no row.

    `columns` are those that have to be read for it. Texts may have been cut to `text_limit` characters.
    """

    def __init__(self, view: View, known: Sequence[str], *, text_limit: int) -> None:
        self._conditions = [_condition(each.condition, view, known) for each in view.rows]
        self._text_limit = text_limit
        self.columns = tuple(dict.fromkeys(name for each in self._conditions for name in each.columns))

    def shown(self, rows: Rows) -> Array:
        """True for each row that is shown. `rows` has all of `columns`."""
        kept = np.ones(len(rows), dtype=bool)
        for condition in self._conditions:
            kept &= np.array(condition.holds(rows), dtype=bool)
        for name in self.columns:
            # Of a text that was cut nobody knows how it goes on.
            kept &= np.array([not self._may_be_cut(value) for value in rows.columns[name]], dtype=bool)
        return kept

    def _may_be_cut(self, value: Any) -> bool:
        return isinstance(value, str | bytes) and len(value) >= self._text_limit


class _OfUser:
    def __init__(self, condition: RowsOfUser, view: View) -> None:
        self.columns: tuple[str, ...] = (condition.column,)
        self._wanted = view.user_id if condition.attribute == "id" else view.role

    def holds(self, rows: Rows) -> list[bool]:
        if self._wanted is None:
            return [False] * len(rows)
        values = rows.columns[self.columns[0]]
        return [value is not None and str(json_value(value)) == self._wanted for value in values]


class _Where:
    def __init__(self, condition: RowsWhere, view: View, known: Sequence[str]) -> None:
        # A column that the expression means stands in it by its name; one that is left out is missing, which fails.
        self.columns: tuple[str, ...] = tuple(name for name in known if name in condition.expression)
        self._user = {"id": view.user_id or "", "role": view.role or ""}
        self._expression = Expression(condition.expression, ("row", "user"))

    def holds(self, rows: Rows) -> list[bool]:
        if not self.columns:
            return [self._shows({})] * len(rows)
        values = [rows.columns[name] for name in self.columns]
        return [
            self._shows({name: json_value(value) for name, value in zip(self.columns, row, strict=True)})
            for row in zip(*values, strict=True)
        ]

    def _shows(self, row: dict[str, Any]) -> bool:
        try:
            return self._expression.holds({"row": row, "user": self._user})
        except ExpressionFailed:
            return False


class _Nothing:
    columns: tuple[str, ...] = ()

    def holds(self, rows: Rows) -> list[bool]:
        return [False] * len(rows)


def _condition(condition: RowCondition, view: View, known: Sequence[str]) -> _Condition:
    if isinstance(condition, RowsOfUser):
        return _OfUser(condition, view) if condition.column in known else _Nothing()
    try:
        return _Where(condition, view, known)
    except RuleError:
        return _Nothing()


def check(condition: RowCondition) -> None:
    """Raises RuleError for an expression that is no condition."""
    if isinstance(condition, RowsWhere):
        Expression(condition.expression, ("row", "user"))
