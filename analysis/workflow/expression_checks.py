"""The expressions of one node: in CEL parameters, and between the braces of its texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.workflow.expressions import Answers, InputType, compile_expression
from analysis.workflow.mentions import ExpressionError, Mentions
from analysis.workflow.node_types import NodeType
from analysis.workflow.references import values_at
from analysis.workflow.templates import OPEN, split, texts_in
from analysis.workflow.violations import Violation, pointer

Json = dict[str, Any]
Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Used:
    """An expression that compiles, and where it stands."""

    path: str
    mentions: Mentions


@dataclass(frozen=True, slots=True)
class Source:
    keys: Keys
    text: str
    answers: Answers


def expressions_of(
    node_id: str, params: Json, node_type: NodeType, inputs: Mapping[str, InputType]
) -> tuple[list[Used], list[Violation]]:
    """Those that compile and may be looked at further, and what is wrong with the others."""
    used: list[Used] = []
    violations: list[Violation] = []
    for keys, found in _all(params, node_type):
        path = pointer("nodes", node_id, "params", *keys)
        if isinstance(found, ExpressionError):
            violations.append(Violation("expression.invalid", path, str(found), node=node_id))
            continue
        try:
            expression = compile_expression(found.text, inputs, answers=found.answers)
        except ExpressionError as error:
            violations.append(Violation("expression.invalid", path, str(error), node=node_id))
        else:
            used.append(Used(path, expression.mentions))
    return used, violations


def _all(params: Json, node_type: NodeType) -> Iterator[tuple[Keys, Source | ExpressionError]]:
    in_cel: set[Keys] = set()
    for path, answers in node_type.expressions.items():
        for keys, value in values_at(params, path):
            in_cel.add(keys)
            if isinstance(value, str) and value:
                yield keys, Source(keys, value, answers)
    for name in params.keys() - node_type.literal:
        for keys, text in texts_in(params[name], (name,)):
            if keys not in in_cel and OPEN in text:
                yield from _in_text(keys, text)


def _in_text(keys: Keys, text: str) -> Iterator[tuple[Keys, Source | ExpressionError]]:
    try:
        parts = split(text)
    except ExpressionError as error:
        yield keys, error
        return
    for part in parts:
        if part.is_expression:
            yield keys, Source(keys, part.text, "any")
