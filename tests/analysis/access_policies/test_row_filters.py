"""Rows are shown where every condition is true, and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from analysis.access_policies.policies import RowCondition
from analysis.access_policies.row_filters import RowFilters, check
from analysis.access_policies.views import RowFilter, View
from analysis.rules.rows import rows_of
from analysis.rules.rule_types import RuleError

ROWS: dict[str, list[Any]] = {
    "owner": ["ann", "bob", None, "ann"],
    "region": ["north", "south", "north", None],
    "size": [1, 2, 3, 4],
}


def shown(*conditions: dict[str, Any], rows: dict[str, list[Any]] | None = None, user: str | None = "ann") -> list[int]:
    there: dict[str, list[Any]] = rows or ROWS
    view = View(
        user_id=user,
        role=None if user is None else "viewer",
        rows=tuple(
            RowFilter(policy_id=1, policy="p", condition=msgspec.convert(each, RowCondition)) for each in conditions
        ),
    )
    filters = RowFilters(view, list(there), text_limit=10)
    size = len(next(iter(there.values())))
    judged = {name: there[name] for name in filters.columns}
    kept = filters.shown(rows_of(judged, None if judged else range(size)))
    return [place for place in range(size) if kept[place]]


def where(expression: str) -> dict[str, Any]:
    return {"type": "where", "expression": expression}


MINE = {"type": "of_user", "column": "owner"}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (MINE, [0, 3]),
        ({"type": "of_user", "column": "owner", "attribute": "role"}, []),
        (where('row.region == "north"'), [0, 2]),
        (where("row.size >= 2 && row.owner == user.id"), [3]),
        (where('user.role == "viewer"'), [0, 1, 2, 3]),
        (where('user.role == "owner"'), []),
        (where('row.region in {"ann": ["south"]}[user.id]'), [1]),
    ],
)
def test_a_condition_shows_the_rows_that_it_holds_for(condition: dict[str, Any], found: list[int]) -> None:
    assert shown(condition) == found


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "of_user", "column": "gone"},
        where("row.gone == 1"),
        where("row.gone != 1"),
        where('row["own" + "er"] != "bob"'),
        where("row.size"),
        where("row.size / 0 == 1"),
        where('row.size != "x" && row.size + "x" == "y"'),
        where("this is no expression"),
    ],
)
def test_what_cannot_be_evaluated_shows_nothing(condition: dict[str, Any]) -> None:
    assert shown(condition) == []


def test_a_row_that_cannot_be_judged_is_kept_back_and_the_others_are_not() -> None:
    assert shown(where('row.region.startsWith("n")')) == [0, 2]


def test_all_conditions_have_to_hold() -> None:
    assert shown(MINE, where("row.size > 1")) == [3]


def test_nobody_in_particular_sees_no_row() -> None:
    assert shown(MINE, user=None) == []


def test_a_text_that_may_be_cut_is_not_taken_for_what_is_left_of_it() -> None:
    assert shown(where('row.a != "0123456789abc"'), rows={"a": ["0123456789", "012345678", "x"]}) == [1, 2]


def test_an_expression_that_is_no_condition_is_refused_when_it_is_written() -> None:
    check(msgspec.convert(where("row.a == user.id"), RowCondition))
    for wrong in ("row.a ==", "'text'", "other.a == 1"):
        with pytest.raises(RuleError):
            check(msgspec.convert(where(wrong), RowCondition))
