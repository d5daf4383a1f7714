"""Expressions of workflows in CEL: checked while people edit, computed while a run goes on.

An expression sees ``inputs.name`` (of the run), ``nodes.id`` or ``nodes["id"]`` (what a node upstream gave), ``run``
(about the run itself), in a loop's body ``item`` and ``index``, and in the filter of a node that waits for an event
``event``. It cannot run away but takes its time: compute it in a process that can be ended, and in a recorded step.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from cel_expr_python import cel  # type: ignore[import-untyped]

from analysis.rules.expressions import DEEPEST_LOOPS, ExpressionFailed, loop_depth, plain_message
from analysis.rules.rule_types import LONGEST_EXPRESSION
from analysis.workflow.answers import json_of, named
from analysis.workflow.growth import refuse_growth
from analysis.workflow.mentions import ExpressionError, Mentions, mentions
from analysis.workflow.tokens import without_texts

Answers = Literal["boolean", "list", "any"]
InputType = Literal["text", "boolean", "integer", "number", "list", "object", "any"]

_MAP: Final = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_TYPES: Final = {
    "text": cel.Type.STRING,
    "boolean": cel.Type.BOOL,
    "integer": cel.Type.INT,
    # JSON writes whole numbers as integers, and CEL adds no integer to a double.
    "number": cel.Type.DYN,
    "list": cel.Type.LIST,
    "object": _MAP,
    "any": cel.Type.DYN,
}
_NAMES: Final = {
    "nodes": _MAP,
    "run": _MAP,
    "item": cel.Type.DYN,
    "index": cel.Type.INT,
    "event": cel.Type.DYN,
}
_EXPECTED: Final = {"boolean": ("BOOL", "true or false"), "list": ("LIST", "a list")}


class Expression:
    """A checked expression. Computing it twice with the same values answers the same."""

    def __init__(self, source: str, inputs: Mapping[str, InputType] | None, answers: Answers) -> None:
        self.source = source
        self.answers = answers
        if len(source) > LONGEST_EXPRESSION:
            raise ExpressionError(
                f"an expression has {LONGEST_EXPRESSION} characters at most, this one has {len(source)}"
            )
        bare = without_texts(source)
        self._loops, self._sums = loop_depth(bare), bare.count("+")
        if self._loops > DEEPEST_LOOPS:
            raise ExpressionError(f"all, exists, map and filter may stand in each other {DEEPEST_LOOPS} deep at most")
        self.mentions = mentions(source)
        self._compiled = _compiled(source, self.mentions, inputs)
        self._refuse_type(self._compiled.return_type())

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The answer as JSON; times are ISO 8601 texts, durations seconds. `values` has `inputs`, `nodes` and so on.

        Raises ExpressionFailed. An input that was not given and a node that has not run are null.
        """
        data = self._data(values)
        refuse_growth(data.values(), loops=self._loops, sums=self._sums)
        try:
            answer = self._compiled.eval(data=data)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ExpressionFailed(_why(error)) from error
        if answer.type() == cel.Type.ERROR:
            raise ExpressionFailed(_why(answer.value()))
        return self._checked(json_of(answer))

    def _data(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the expression mentions, and nothing else: the outputs of a long run are many."""
        inputs, nodes = values.get("inputs", {}), values.get("nodes", {})
        data = {f"inputs.{name}": inputs.get(name) for name in self.mentions.inputs}
        data["nodes"] = {name: nodes.get(name) for name in self.mentions.nodes}
        data["run"] = values.get("run", {})
        return data | {name: values.get(name) for name in self.mentions.names}

    def _checked(self, answer: Any) -> Any:
        if self.answers == "boolean" and not isinstance(answer, bool):
            raise ExpressionFailed(f"it answered {named(answer)}, not true or false")
        if self.answers == "list" and not isinstance(answer, list):
            raise ExpressionFailed(f"it answered {named(answer)}, not a list")
        return answer

    def _refuse_type(self, answers: Any) -> None:
        if self.answers == "any" or answers == cel.Type.DYN:
            return
        expected, words = _EXPECTED[self.answers]
        # LIST<INT> is no LIST to the library.
        if answers.name().partition("<")[0] != expected:
            raise ExpressionError(f"the expression has to answer {words}, and this one answers {answers.name()}")


def compile_expression(
    source: str, inputs: Mapping[str, InputType] | None = None, *, answers: Answers = "any"
) -> Expression:
    """An expression over inputs of these types; over any where they are None, as when a run goes on.

    Raises ExpressionError, which says where it is wrong.
    """
    return _cached(source, None if inputs is None else tuple(sorted(inputs.items())), answers)


@lru_cache(maxsize=20_000)
def _cached(source: str, inputs: tuple[tuple[str, InputType], ...] | None, answers: Answers) -> Expression:
    return Expression(source, None if inputs is None else dict(inputs), answers)


def evaluate(source: str, values: Mapping[str, Any], *, answers: Answers = "any") -> Any:
    """What an expression answers for the values of a run. Raises ExpressionError, ExpressionFailed."""
    return compile_expression(source, answers=answers).evaluate(values)


def _compiled(source: str, found: Mentions, inputs: Mapping[str, InputType] | None) -> Any:
    types: dict[str, InputType] = {}
    for name in sorted(found.inputs):
        if inputs is not None and name not in inputs:
            raise ExpressionError(f"there is no input {name!r}: declare it in the settings of the workflow")
        types[name] = "any" if inputs is None else inputs[name]
    try:
        return _environment(tuple(types.items())).compile(source)
    except RuntimeError as error:
        raise ExpressionError(f"the expression is no CEL over what it may see: {plain_message(error)}") from error


def _why(error: object) -> str:
    message = plain_message(error)
    if message == "Applying SELECT to non-message type":
        return (
            "a field was asked of what is no object: an input that was not given and a node that has not run are null"
        )
    return message


# Making one takes a millisecond, compiling with it a twentieth of that.
@lru_cache(maxsize=1000)
def _environment(inputs: tuple[tuple[str, InputType], ...]) -> Any:
    return cel.NewEnv(variables=_NAMES | {f"inputs.{name}": _TYPES[kind] for name, kind in inputs})
