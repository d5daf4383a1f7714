"""Whatever a column holds and whatever a rule says of it, there is a verdict, and it can be told as JSON."""

from __future__ import annotations

import datetime
import itertools
import uuid
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from analysis.rules.evaluation import Evaluation, check_rule
from analysis.rules.rows import Rows, json_value, utc
from analysis.rules.rule_types import (
    AllowedValues,
    Completeness,
    Condition,
    Freshness,
    Literals,
    Pattern,
    Range,
    Referential,
    RowExpression,
    Rule,
    Uniqueness,
)

NOW = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
EAST = datetime.timezone(datetime.timedelta(hours=14))
WEST = datetime.timezone(datetime.timedelta(hours=-12))
FIRST = datetime.datetime.min.replace(tzinfo=datetime.UTC)
LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)
VALUES: dict[str, list[Any]] = {
    "integers": [0, -1, 2**63 - 1, 2**70],
    "floats": [1.5, float("nan"), float("inf"), -0.0],
    "decimals": [Decimal("1.50"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")],
    "times": [time.replace(tzinfo=None) for time in (NOW, FIRST, LAST)],
    "times of zones": [
        datetime.datetime(2020, 1, 1, tzinfo=EAST),
        FIRST.replace(tzinfo=EAST),
        LAST.replace(tzinfo=WEST),
    ],
    "dates": [datetime.date(2020, 1, 1), datetime.date.min, datetime.date.max],
    "times of day": [datetime.time(1, 2), datetime.time(1, 2, tzinfo=EAST)],
    "spans": [datetime.timedelta(1), datetime.timedelta.max],
    "bytes": [b"a", b"\xff"],
    "texts": ["", "a", "2020-01-01", "\ud800", "\x00", "NaN"],
    "truths": [True, False],
    "documents": [[1, 2], {"a": 1}, []],
    "identifiers": [uuid.UUID(int=1)],
}
BOUNDS: list[Any] = [0, 1e308, True, "", "a", "2020-01-01", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"]
ALLOWED: tuple[Literals, ...] = (0, 1.5, True, "a", "2020-01-01", "\ud800")
EXPRESSIONS = (
    "row.c > 1", "row.c == null", "size(row.c) > 0", "row.c / 0 == 1", "int(row.c) > 5", "double(row.c) > 1.0",
    "timestamp(row.c) > timestamp('2020-01-01T00:00:00Z')", "row.c.contains('x')", "row.c in [1, 'a', null]",
    "row.c[0] == 1", "row.c.a == 1", "-row.c < 0",
)  # fmt: skip
CONDITIONS: list[Condition] = [
    Completeness(column="c", blank_is_null=True),
    Uniqueness(columns=("c", "c")),
    *(Range(column="c", min=bound) for bound in BOUNDS),
    *(Range(column="c", max=bound) for bound in BOUNDS),
    *(AllowedValues(column="c", values=ALLOWED, ignore_case=ignore) for ignore in (False, True)),
    Pattern(column="c", pattern="a|\\d+"),
    Freshness(column="c", max_age_seconds=2**63 - 1),
    Referential(column="c", reference="t.c"),
    *(RowExpression(expression=expression) for expression in EXPRESSIONS),
]


@pytest.mark.parametrize("kind", VALUES)
def test_every_rule_has_a_verdict_on_every_kind_of_value(kind: str) -> None:
    values = [*VALUES[kind], None]
    for condition in CONDITIONS:
        rule = Rule(name="x", condition=condition)
        check_rule(rule)
        evaluation = Evaluation(rule, now=NOW, references={"t.c": {"a", 1}})
        evaluation.add(Rows({"c": values}, range(len(values))))
        result = evaluation.result()
        assert result.verdict in ("pass", "fail", "not_evaluated"), condition
        assert msgspec.json.encode(result), condition


def test_a_number_is_no_bound_of_times_and_no_time_lies_within() -> None:
    for kind, bound in itertools.product(("times", "times of zones", "dates"), (1, 1.5, True)):
        evaluation = Evaluation(Rule(name="x", condition=Range(column="c", min=bound)), now=NOW)
        values = VALUES[kind]
        evaluation.add(Rows({"c": values}, range(len(values))))
        assert (evaluation.result().verdict, evaluation.result().failing) == ("fail", len(values))


def test_hours_beyond_the_calendar_are_cut_off() -> None:
    assert (utc(FIRST.replace(tzinfo=EAST)), utc(LAST.replace(tzinfo=WEST))) == (FIRST, LAST)
    assert json_value(Decimal("sNaN")) == json_value(Decimal("NaN")) == json_value(float("nan")) == "nan"


def test_allowed_values_without_case_are_compared_as_they_are_told() -> None:
    condition = AllowedValues(column="c", values=("2024-05-01T12:00:00Z", "A"), ignore_case=True)
    evaluation = Evaluation(Rule(name="x", condition=condition), now=NOW)
    evaluation.add(Rows({"c": [NOW, "a", ["a"]]}, range(3)))
    assert evaluation.result().sample == ["2"]
