"""Texts with expressions in them: ``Found ${nodes.scan.findings} in ${inputs.source}``.

A text that is nothing but one expression stands for its value, whatever type it has; ``$${`` is a plain ``${``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from analysis.workflow.expressions import evaluate
from analysis.workflow.mentions import ExpressionError
from analysis.workflow.tokens import tokens

OPEN: Final = "${"
MOST_PARTS: Final = 100

_ESCAPED: Final = "$${"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text; where `is_expression`, what stands between the braces."""

    text: str
    is_expression: bool = False


def split(text: str) -> list[Part]:
    """The pieces of a text in their order. Raises ExpressionError for a brace that is not closed or too many."""
    parts: list[Part] = []
    plain: list[str] = []
    at = 0
    while (opening := text.find(OPEN, at)) >= 0:
        if opening and text.startswith(_ESCAPED, opening - 1) and opening - 1 >= at:
            plain.append(text[at : opening - 1] + OPEN)
            at = opening + len(OPEN)
            continue
        plain.append(text[at:opening])
        closing = _closing(text, opening + len(OPEN))
        parts += [Part("".join(plain)), Part(text[opening + len(OPEN) : closing], is_expression=True)]
        if len(parts) > 2 * MOST_PARTS:
            raise ExpressionError(f"a text has {MOST_PARTS} expressions at most")
        plain, at = [], closing + 1
    parts.append(Part("".join(plain) + text[at:]))
    return [part for part in parts if part.is_expression or part.text]


def _closing(text: str, start: int) -> int:
    """Where the brace is that closes an expression: those of its maps, and those in quotes, are not it."""
    depth = 0
    for token in tokens(text, start):
        if token.text == "}" and depth == 0:
            return token.end - 1
        if token.kind == "sign":
            depth += (token.text == "{") - (token.text == "}")
    raise ExpressionError("the text has a `${` without its `}`; write `$${` where no expression is meant")


def is_dynamic(value: Any) -> bool:
    """Whether a JSON value has an expression in it somewhere, and so is known only when a run goes on."""
    return any(OPEN in text for _, text in texts_in(value))


def texts_in(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The texts in a JSON value with the keys that lead to them; keys themselves are no texts."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_in(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts_in(item, (*path, str(index)))


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """A JSON value with the expressions of its texts computed. Raises ExpressionError, ExpressionFailed."""
    if isinstance(value, str):
        return _filled(split(value), values) if OPEN in value else value
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    return value


def _filled(parts: list[Part], values: Mapping[str, Any]) -> Any:
    if len(parts) == 1 and parts[0].is_expression:
        return evaluate(parts[0].text, values)
    return "".join(_text(evaluate(part.text, values)) if part.is_expression else part.text for part in parts)


def _text(value: Any) -> str:
    """As people read it: text as it is, nothing for null, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
