"""What expressions answer, as JSON: one value after the other, so that what is too much is never made."""

from __future__ import annotations

import datetime
import math
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]

from analysis.rules.expressions import ExpressionFailed, plain_message

# What one expression answers is stored with its run.
MOST_VALUES: Final = 100_000
MOST_CHARACTERS: Final = 4_000_000


def json_of(answer: Any) -> Any:
    """The JSON of a value of the library. Raises ExpressionFailed for what JSON cannot write, and for too much."""
    return _Budget().json(answer)


class _Budget:
    """What one answer may still hold."""

    def __init__(self) -> None:
        self._values = MOST_VALUES
        self._characters = MOST_CHARACTERS

    def json(self, answer: Any) -> Any:
        self._values -= 1
        if self._values < 0:
            raise ExpressionFailed(f"it answered more than {MOST_VALUES} values")
        if answer.type() == cel.Type.ERROR:
            raise ExpressionFailed(plain_message(answer.value()))
        match answer.value():
            case str() as text:
                return self._text(text)
            case None | bool() | int() as plain:
                return plain
            case float() as number if math.isfinite(number):
                return number
            case list() as items:
                return [self.json(item) for item in items]
            case dict() as items:
                return {self._key(key): self.json(item) for key, item in items.items()}
            case datetime.datetime() as moment:
                return moment.isoformat().replace("+00:00", "Z")
            case datetime.timedelta() as duration:
                return duration.total_seconds()
            case other:
                raise ExpressionFailed(f"it answered {named(other)}, which JSON has no way to write")

    def _text(self, text: str) -> str:
        self._characters -= len(text)
        if self._characters < 0:
            raise ExpressionFailed(f"it answered more than {MOST_CHARACTERS} characters")
        return text

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise ExpressionFailed(f"the keys of an object are text, and one here is {named(key)}")
        return self._text(key)


def named(value: Any) -> str:
    """What a plain value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case float() if not math.isfinite(value):
            return "a number that is not finite"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"a value of type {type(value).__name__}"
