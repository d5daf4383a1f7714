"""Quality rules over rows: what fails, how many, which, and what is refused."""

import datetime
import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.columns import column_of
from analysis.profile.accumulator import profile_table
from analysis.rules.evaluation import Evaluation, check_rule, columns_of, profile_result
from analysis.rules.row_checks import UniquenessCheck
from analysis.rules.rows import json_value, rows_of
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
    Severity,
    SqlCondition,
    Threshold,
    Uniqueness,
)
from analysis.rules.verdicts import sql_rows_judged, sql_value_judged

NOW = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def rule(condition: Condition, **threshold: Any) -> Rule:
    return Rule(name="r", condition=condition, threshold=Threshold(**threshold))


def evaluated(
    condition: Condition, batch: int = 1000, references: dict[str, set[Any]] | None = None, **columns: Sequence[Any]
) -> RuleResult:
    evaluation = Evaluation(rule(condition), now=NOW, references=references)
    size = len(next(iter(columns.values())))
    for start in range(0, size, batch):
        part = {name: values[start : start + batch] for name, values in columns.items()}
        evaluation.add(rows_of(part, first_row=start + 1))
    return evaluation.result()


@pytest.mark.parametrize(
    ("condition", "values", "checked", "failing"),
    [
        (Completeness(column="c"), [1, None, "", math.nan], 4, [2, 4]),
        (Completeness(column="c", blank_is_null=True), ["a", None, "", "  "], 4, [2, 3, 4]),
        (Range(column="c", min=0, max=10), [0, 10, 11, -0.5, None, math.nan, "x"], 6, [3, 4, 6, 7]),
        (Range(column="c", min=0.1), [Decimal("0.1"), Decimal("0.09"), 2**70], 3, [2]),
        (Range(column="c", max="2024-01-31"), [datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)], 2, [2]),
        (Range(column="c", min="2024-05-01T12:00:00+02:00"), [NOW, NOW - DAY], 2, [2]),
        (Range(column="c", min="b"), ["b", "a"], 2, [2]),
        (AllowedValues(column="c", values=("a", 1)), ["a", 1, "A", "1", None, True], 5, [3, 4]),
        (AllowedValues(column="c", values=("a",), ignore_case=True), ["A", "ä"], 2, [2]),
        (AllowedValues(column="c", values=("2024-01-31",)), [datetime.date(2024, 1, 31), [1]], 2, [2]),
        (Pattern(column="c", pattern=r"[a-z]+\d"), ["a1", "a1 ", None, "\ud800", "é1"], 4, [2, 4, 5]),
        (Pattern(column="c", pattern=r"\d", anywhere=True), ["a1b", "ab", 12], 3, [2]),
        (Pattern(column="c", pattern="AB", ignore_case=True), ["ab", "b"], 2, [2]),
        (Pattern(column="c", pattern="a.b"), ["a\nb", "a\0b", "ab"], 3, [3]),
        (RowExpression(expression="row.c > 1"), [2, 1, None, 2.5], 4, [2, 3]),
        (RowExpression(expression="row.c == null || row.c.startsWith('a')"), ["ab", None, "b"], 3, [3]),
        (RowExpression(expression="timestamp(row.c) < timestamp('2024-05-01T00:00:00Z')"), [NOW, NOW - DAY], 2, [1]),
        (Uniqueness(columns=("c",)), [1, 2, 1, None, None, 1, True], 5, [1, 3, 6]),
    ],
)
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_which_rows_fail(condition: Condition, values: list[Any], checked: int, failing: list[int], batch: int) -> None:
    result = evaluated(condition, batch, c=values)
    assert (result.checked, sorted(result.sample)) == (checked, sorted(map(str, failing)))
    assert (result.failing, result.verdict) == (len(failing), "fail" if failing else "pass")
    assert result.share == pytest.approx(len(failing) / checked)


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=30), st.integers(1, 7))
def test_uniqueness_counts_every_row_that_shares_its_value(values: list[int | None], batch: int) -> None:
    if not values:
        return
    result = evaluated(Uniqueness(columns=("a", "b")), batch, a=values, b=[0] * len(values))
    counts = Counter(value for value in values if value is not None)
    assert result.failing == sum(count for count in counts.values() if count > 1)
    assert result.checked == counts.total()
    assert len(set(result.sample)) == min(result.failing, 20)


def test_uniqueness_beyond_what_memory_holds_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UniquenessCheck, "MOST_KEPT", 10)
    with pytest.raises(RuleError, match="state the rule as a query"):
        evaluated(Uniqueness(columns=("c",)), c=list(range(11)))


def test_references_are_given() -> None:
    condition = Referential(column="c", reference="countries.code")
    result = evaluated(condition, references={"countries.code": {"de", "fr"}}, c=["de", "xx", None])
    assert (result.checked, result.sample) == (2, ["2"])
    with pytest.raises(RuleError, match=r"the values of 'countries.code' were not given"):
        evaluated(condition, c=["de"])


def test_arrays_with_nulls_and_keys_of_several_columns() -> None:
    evaluation = Evaluation(rule(Range(column="c", min=1)), now=NOW)
    masked = np.ma.MaskedArray(np.array([1.5, 0.5, 0.0]), [False, False, True])
    evaluation.add(rows_of({"c": masked}, keys=[(1, "a"), (2, "b"), (3, "c")]))
    result = evaluation.result()
    assert (result.checked, result.failing, result.sample) == (2, 1, ["2 | b"])
    times = np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]")
    assert rows_of({"c": times}).columns["c"] == [datetime.datetime.fromisoformat("2024-01-01"), None]
    with pytest.raises(ValueError, match=r"different numbers of rows: \[1, 2\]"):
        rows_of({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    ("threshold", "verdict", "reason"),
    [
        ({}, "fail", "2 of 10 rows fail, and none may"),
        ({"max_failing_share": 0.2}, "pass", "2 of 10 rows fail, and 0.2 of them may"),
        ({"max_failing_share": 0.19}, "fail", "2 of 10 rows fail, and 0.19 of them may"),
        ({"max_failing_rows": 2}, "pass", "2 of 10 rows fail, and 2 may"),
        ({"max_failing_rows": 1, "max_failing_share": 0.5}, "fail", "2 of 10 rows fail, and 0.5 of them and 1 may"),
    ],
)
def test_thresholds(threshold: dict[str, Any], verdict: str, reason: str) -> None:
    evaluation = Evaluation(rule(Completeness(column="c"), **threshold), now=NOW)
    evaluation.add(rows_of({"c": [None, None, *range(8)]}))
    assert (evaluation.result().verdict, evaluation.result().reason) == (verdict, reason)


def test_nothing_checked_passes_and_the_severity_is_told() -> None:
    strict = Rule(name="r", condition=Completeness(column="c"), severity=Severity.CRITICAL)
    evaluation = Evaluation(strict, now=NOW)
    evaluation.add(rows_of({"c": []}))
    result = evaluation.result()
    assert (result.verdict, result.share, result.severity) == ("pass", 0.0, "critical")


def test_the_sample_is_bounded_and_holds_no_long_keys() -> None:
    evaluation = Evaluation(rule(Completeness(column="c")), now=NOW)
    for _ in range(3):
        evaluation.add(rows_of({"c": [None] * 50}, keys=["k" * 1000] * 50))
    result = evaluation.result()
    assert (result.failing, len(result.sample), len(result.sample[0])) == (150, 20, 200)


def test_freshness() -> None:
    condition = Freshness(column="c", max_age_seconds=86_400)
    assert evaluated(condition, 1, c=[NOW - 3 * DAY, NOW - DAY, None]).verdict == "pass"
    late = evaluated(condition, c=[(NOW - 2 * DAY).replace(tzinfo=None)])
    assert late.verdict == "fail"
    assert late.reason == "the latest is 2024-04-29T12:00:00+00:00, 172800 s old, and 86400 s were allowed"
    assert evaluated(condition, c=["2024-05-01", "soon"]).verdict == "pass"
    assert evaluated(condition, c=[NOW.date()]).verdict == "pass"
    assert evaluated(condition, c=[None, 7]).verdict == "not_evaluated"


def test_row_counts() -> None:
    assert evaluated(RowCount(min=2, max=3), 1, c=[None, 1]).verdict == "pass"
    low = evaluated(RowCount(min=3), c=[1])
    assert (low.verdict, low.reason) == ("fail", "there are 1 rows, and at least 3 were expected")
    assert evaluated(RowCount(max=0), c=[1]).reason == "there are 1 rows, and from 0 to 0 were expected"


def test_errors_of_an_expression_are_counted_and_told() -> None:
    result = evaluated(RowExpression(expression="row.a / row.b > 0"), a=[1, 1, 4], b=[0, None, 2])
    assert (result.failing, result.errors) == (2, 2)
    assert result.error == "divide by zero"
    missing = evaluated(RowExpression(expression="row.nothing > 0"), a=[1])
    assert missing.error == 'Key not found in map : "nothing"'
    assert evaluated(RowExpression(expression="row.a"), a=[1]).error == "it answered INT, not true or false"


def test_expressions_see_what_json_has() -> None:
    values = [2**63, Decimal("1.5"), math.nan, b"\x01", NOW, NOW.date(), (1, None), {1: {2}}, np.int64(3), True]
    assert [json_value(value) for value in values] == [
        float(2**63),
        1.5,
        "nan",
        "01",
        "2024-05-01T12:00:00Z",
        "2024-05-01",
        [1, None],
        {"1": "{2}"},
        3,
        True,
    ]
    assert isinstance(json_value(2**63), float)
    assert evaluated(RowExpression(expression="row.c > 5"), c=[2**70, -(2**70)]).sample == ["2"]


def test_rules_over_a_profile() -> None:
    profile = profile_table([column_of("price", [1.5, 2.5, None]), column_of("unit", ["kg", "kg", "g"])])

    def verdict(expression: str) -> RuleResult:
        return profile_result(rule(ProfileExpression(expression=expression)), profile)

    assert verdict("table.rows == 3 && columns.price.numbers.min >= 1").verdict == "pass"
    assert verdict("columns['unit'].distinct == 1").verdict == "fail"
    assert verdict("columns.price.numbers.quantiles.all(q, q.value < 3.0)").verdict == "pass"
    unknown = verdict("columns.colour.distinct > 1")
    assert (unknown.verdict, unknown.reason) == (
        "not_evaluated",
        'the expression could not be computed: Key not found in map : "colour"',
    )


def test_queries_are_judged_by_what_they_brought() -> None:
    query = rule(SqlCondition(statement="SELECT ..."), max_failing_share=0.1)
    result = sql_rows_judged(query, rows_checked=100, failing=10, sample=[(1,), (2,)])
    assert (result.verdict, result.share, result.sample) == ("pass", 0.1, ["1", "2"])
    number = rule(SqlCondition(statement="SELECT ...", compare="<=", value=5))
    assert sql_value_judged(number, 5).verdict == "pass"
    assert sql_value_judged(number, Decimal("5.1")).reason == "the query answered 5.1, and <= 5 was expected"
    for answer in (None, "many", math.nan):
        assert sql_value_judged(number, answer).verdict == "not_evaluated"
    # Verdicts are read by people who may not read rows.
    assert "078-05-1120" not in sql_value_judged(number, "078-05-1120").reason
    with pytest.raises(RuleError, match="is no query"):
        sql_value_judged(rule(RowCount()), 1)
    with pytest.raises(RuleError, match="needs `compare` and `value`"):
        sql_value_judged(query, 1)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Range(column="c"), "a range has a `min`, a `max` or both"),
        (Range(column="c", min=2, max=1), "from the smaller to the larger value, not from 2 to 1"),
        (Range(column="c", min="a", max=1), "of one type, not 'a' and 1"),
        (Pattern(column="c", pattern="(a"), "no regular expression of RE2: missing \\): \\(a"),
        (Pattern(column="c", pattern=r"(a)\1"), "no regular expression of RE2: invalid escape sequence"),
        (Pattern(column="c", pattern="(?=a)b"), "no regular expression of RE2: invalid perl operator"),
        (RowExpression(expression="row.a +"), "no CEL over row: .*Syntax error"),
        (RowExpression(expression="column.a > 1"), "no CEL over row: .*undeclared reference to 'column"),
        (RowExpression(expression="row.a + 1"), "answers true or false, and this expression answers INT"),
        (ProfileExpression(expression="row.a > 1"), "no CEL over table, columns"),
        (RowCount(min=5, max=4), "`max` is at least `min`, and 4 is less than 5"),
        (RowCount(), "a `min` of 1 or more, a `max` or both"),
        (RowCount(min=0), "a `min` of 1 or more, a `max` or both"),
        (SqlCondition(statement="SELECT 1", compare="<"), "come together"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_before_it_runs(condition: Condition, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        check_rule(rule(condition))


@pytest.mark.parametrize("condition", [RowCount(), Range(column="c")])
def test_a_rule_that_cannot_fail_is_not_evaluated_either(condition: Condition) -> None:
    with pytest.raises(RuleError, match="a `max` or both"):
        Evaluation(rule(condition), now=NOW)


def test_every_kind_of_rule_is_data_and_can_be_checked() -> None:
    conditions: list[Condition] = [
        Completeness(column="c"),
        Uniqueness(columns=("a", "b")),
        Range(column="c", min=1),
        AllowedValues(column="c", values=(1, "a", True)),
        Pattern(column="c", pattern="a"),
        Freshness(column="c", max_age_seconds=1),
        RowCount(min=1),
        Referential(column="c", reference="t.c"),
        RowExpression(expression="row.c > 1"),
        ProfileExpression(expression="table.rows > 1"),
        SqlCondition(statement="SELECT 1", compare="==", value=1),
    ]
    for condition in conditions:
        check_rule(rule(condition))
        assert msgspec.json.decode(msgspec.json.encode(rule(condition)), type=Rule) == rule(condition)
    assert {columns_of(condition) for condition in conditions} == {("c",), ("a", "b"), (), None}
    for condition in conditions[-2:]:
        with pytest.raises(RuleError, match="not evaluated over rows"):
            Evaluation(rule(condition), now=NOW)


def test_a_missing_column_is_said() -> None:
    with pytest.raises(RuleError, match="there is no column 'c'; there are 'a', 'b'"):
        evaluated(Completeness(column="c"), a=[1], b=[2])
