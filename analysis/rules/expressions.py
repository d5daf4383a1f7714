"""Conditions in CEL, kept from doing harm: short, without deep loops, over plain data, and typed before they run.

CEL has no loops but over lists that are there, no side effects and a budget of iterations of its own; regular
expressions in it are RE2's. Still they are to be evaluated in a process that can be ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]

from analysis.rules.rule_types import LONGEST_EXPRESSION, RuleError

MOST_ITEMS = 1000
DEEPEST_LOOPS = 2

_TOKENS = re.compile(
    r"""(?P<text>r?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))"""
    r"""|(?P<loop>\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap|transformMapEntry)\s*\()"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])""",
    re.DOTALL,
)


class Expression:
    """A checked condition over named values. Evaluating it twice with the same values answers the same."""

    def __init__(self, source: str, names: tuple[str, ...], *, deepest_loops: int = DEEPEST_LOOPS) -> None:
        """Raises RuleError with the place of what is wrong."""
        if len(source) > LONGEST_EXPRESSION:
            raise RuleError(f"an expression has {LONGEST_EXPRESSION} characters at most, this one has {len(source)}")
        if loop_depth(source) > deepest_loops:
            raise RuleError(f"all, exists, map and filter may stand in each other {deepest_loops} deep at most")
        environment = cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN))
        try:
            self._compiled = environment.compile(source)
        except RuntimeError as error:
            raise RuleError(f"the expression is no CEL over {', '.join(names)}: {plain_message(error)}") from error
        answers = self._compiled.return_type()
        if answers not in (cel.Type.BOOL, cel.Type.DYN):
            raise RuleError(f"a condition answers true or false, and this expression answers {answers.name()}")

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Raises ExpressionFailed where it cannot be computed. Values are of JSON."""
        _refuse_long_lists(values)
        try:
            answer = self._compiled.eval(data=values)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ExpressionFailed(plain_message(error)) from error
        if answer.type() == cel.Type.BOOL:
            return bool(answer.value())
        if answer.type() == cel.Type.ERROR:
            raise ExpressionFailed(plain_message(answer.value()))
        raise ExpressionFailed(f"it answered {answer.type().name()}, not true or false")


class ExpressionFailed(Exception):
    """An expression could not be computed over some values: a missing key, a null where a number was meant."""


def plain_message(error: object) -> str:
    """The library's message without its codes and drawings."""
    text = str(error).removeprefix("INVALID_ARGUMENT: ").split("\n")[0].removesuffix(" [INVALID_ARGUMENT]")
    return re.sub(r"^[A-Z_]+: (?:<input>:)?", "", text)


def loop_depth(source: str) -> int:
    """How deep loops stand in each other, found without parsing: by brackets outside of quoted text."""
    brackets: list[bool] = []
    deepest = 0
    for token in _TOKENS.finditer(source):
        if token.lastgroup in ("loop", "open"):
            brackets.append(token.lastgroup == "loop")
            deepest = max(deepest, sum(brackets))
        elif token.lastgroup == "close" and brackets:
            brackets.pop()
    return deepest


def _refuse_long_lists(value: Any) -> None:
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse_long_lists(item)
    elif isinstance(value, list):
        if len(value) > MOST_ITEMS:
            raise ExpressionFailed(f"a list has {len(value)} items, and an expression sees {MOST_ITEMS} at most")
        for item in value:
            _refuse_long_lists(item)
