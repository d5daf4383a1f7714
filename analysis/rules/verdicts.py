"""From counts to a verdict."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from analysis.rules.rule_types import Rule, RuleError, RuleResult, SqlCondition, Threshold

MOST_SAMPLED = 20
_LONGEST_KEY = 200

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def judged(
    rule: Rule,
    checked: int,
    failing: int,
    sample: Sequence[Any] = (),
    errors: int = 0,
    error: str | None = None,
) -> RuleResult:
    """The result of a rule of which so many rows were checked and so many of those fail."""
    share = failing / checked if checked else 0.0
    passes, allowed = _within(rule.threshold, failing, share)
    return RuleResult(
        rule=rule.name,
        severity=rule.severity,
        verdict="pass" if passes else "fail",
        reason=f"{failing} of {checked} rows fail, and {allowed} may",
        checked=checked,
        failing=failing,
        share=share,
        errors=errors,
        error=error,
        sample=[shown_key(key) for key in sample[:MOST_SAMPLED]],
    )


def _within(threshold: Threshold, failing: int, share: float) -> tuple[bool, str]:
    rows, part = threshold.max_failing_rows, threshold.max_failing_share
    if rows is None and part is None:
        return failing == 0, "none"
    limits = ([f"{part:.4g} of them"] if part is not None else []) + ([str(rows)] if rows is not None else [])
    return (part is None or share <= part) and (rows is None or failing <= rows), " and ".join(limits)


def shown_key(key: Any) -> str:
    text = " | ".join(map(str, key)) if isinstance(key, tuple | list) else str(key)
    return text[:_LONGEST_KEY].encode("utf-8", "replace").decode()


def met(rule: Rule, holds: bool, reason: str) -> RuleResult:
    """The result of a rule about the whole: it holds or not."""
    return RuleResult(
        rule=rule.name,
        severity=rule.severity,
        verdict="pass" if holds else "fail",
        reason=reason,
        checked=1,
        failing=0 if holds else 1,
        share=0.0 if holds else 1.0,
    )


def not_evaluated(rule: Rule, reason: str) -> RuleResult:
    return RuleResult(rule=rule.name, severity=rule.severity, verdict="not_evaluated", reason=reason)


def sql_rows_judged(rule: Rule, rows_checked: int, failing: int, sample: Sequence[Any]) -> RuleResult:
    """Of a query that brought the failing rows, out of so many in the dataset."""
    _sql(rule)
    return judged(rule, max(rows_checked, failing), failing, sample)


def sql_value_judged(rule: Rule, value: Any) -> RuleResult:
    """Of a query that brought one number; null is no number, and evaluates nothing."""
    condition = _sql(rule)
    if condition.compare is None or condition.value is None:
        raise RuleError("a query that answers a number needs `compare` and `value`")
    try:
        number = float(value)
    except (TypeError, ValueError):
        # What it is stays untold: the query may bring any value of any row.
        what = "no value" if value is None else f"a value of the type {type(value).__name__}"
        return not_evaluated(rule, f"the query answered {what}, and a number was expected")
    if math.isnan(number):
        return not_evaluated(rule, "the query answered NaN, and a number was expected")
    holds = _COMPARISONS[condition.compare](number, condition.value)
    return met(rule, holds, f"the query answered {number:g}, and {condition.compare} {condition.value:g} was expected")


def _sql(rule: Rule) -> SqlCondition:
    if not isinstance(rule.condition, SqlCondition):
        raise RuleError(f"rule {rule.name!r} is no query")
    return rule.condition
