"""When a value is bad: a comparison, a condition in CEL, or both."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from analysis.alerting.specs import Compared, SpecError
from analysis.rules.expressions import Expression
from analysis.rules.rule_types import RuleError

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
NAMES = ("value", "previous", "rate", "labels", "threshold", "at")
# Labels are few; a condition is evaluated thousands of times a second.
_DEEPEST_LOOPS = 1


@lru_cache(maxsize=20_000)
def compiled(source: str, names: tuple[str, ...]) -> Expression:
    """An expression over the names; the same one for all rules that say the same. Raises SpecError."""
    try:
        return Expression(source, names, deepest_loops=_DEEPEST_LOOPS)
    except RuleError as error:
        raise SpecError(str(error)) from error


class Condition:
    """A checked comparison. Raises SpecError with what would be right."""

    def __init__(self, spec: Compared) -> None:
        if (spec.op is None) is not (spec.threshold is None):
            raise SpecError("a comparison has both, `op` and `threshold`, or neither")
        if spec.op is None and spec.condition is None:
            raise SpecError("a rule needs `op` and `threshold`, or a `condition`")
        _check_resolve_threshold(spec)
        self.spec = spec
        self._compare = COMPARE[spec.op] if spec.op is not None else None
        self._expression = compiled(spec.condition, NAMES) if spec.condition is not None else None

    @property
    def is_plain(self) -> bool:
        """Whether a comparison is all of it."""
        return self._expression is None

    def uses(self, name: str) -> bool:
        return self.spec.condition is not None and name in self.spec.condition

    def holds(self, value: float, *, is_firing: bool, facts: Callable[[], Mapping[str, Any]]) -> bool:
        """Raises ExpressionFailed where the condition cannot be computed over the facts."""
        if self._compare is not None:
            threshold = self.spec.threshold
            if is_firing and self.spec.resolve_threshold is not None:
                threshold = self.spec.resolve_threshold
            assert threshold is not None
            if not self._compare(value, threshold):
                return False
        return self._expression is None or self._expression.holds(facts())


def _check_resolve_threshold(spec: Compared) -> None:
    resolve, threshold = spec.resolve_threshold, spec.threshold
    if resolve is None:
        return
    if spec.op not in (">", ">=", "<", "<=") or threshold is None:
        raise SpecError("`resolve_threshold` goes with `op` >, >=, < or <= and a `threshold`")
    if (resolve > threshold) if spec.op in (">", ">=") else (resolve < threshold):
        side = "at most" if spec.op in (">", ">=") else "at least"
        raise SpecError(
            f"`resolve_threshold` is {side} the threshold, {threshold:g}, for {spec.op}: "
            "it is what a value has to pass on its way back"
        )
