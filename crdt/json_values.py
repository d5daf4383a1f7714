"""JSON values as documents hold them, and JSON as it is read from documents.

Numbers are doubles, as for JavaScript: an integral one is read as an integer, one beyond 2**53 loses precision like
there. The engine would hand larger integers to JavaScript as BigInt, which JSON.stringify refuses.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
from pycrdt import Array, Map

from crdt.edits import EditError, check_text
from crdt.lib0 import MAX_SAFE_INTEGER

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000
MAX_CHARACTERS: Final = 10_000_000

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def storable(value: Any) -> Any:
    """A copy of a JSON value as a document can hold it. Raises EditError if it is none, too deep or too large."""
    budget = _Budget()
    return budget.copy(value, MAX_DEPTH)


class _Budget:
    """What one value may still hold."""

    def __init__(self) -> None:
        self.values = MAX_VALUES
        self.characters = MAX_CHARACTERS

    def copy(self, value: Any, depth: int) -> Any:
        if depth < 0:
            raise EditError("too_deep", f"values are nested more than {MAX_DEPTH} deep")
        self.values -= 1
        if self.values < 0:
            raise EditError("too_large", f"more than {MAX_VALUES} values at once")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return _number(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list | tuple):
            return [self.copy(item, depth - 1) for item in value]
        if isinstance(value, dict):
            return {self._text(key): self.copy(item, depth - 1) for key, item in value.items()}
        raise EditError("bad_value", f"a {type(value).__name__} is not a JSON value")

    def _text(self, text: Any) -> str:
        self.characters -= len(check_text(text))
        if self.characters < 0:
            raise EditError("too_large", f"more than {MAX_CHARACTERS} characters at once")
        return str(text)


def _number(number: float) -> float:
    try:
        double = float(number)
    except OverflowError:
        raise EditError("bad_value", "a number is beyond the range of doubles") from None
    if not math.isfinite(double):
        raise EditError("bad_value", "a number is not finite")
    return int(double) if double.is_integer() and abs(double) <= MAX_SAFE_INTEGER else double


def canonical(value: Any) -> bytes:
    """The one encoding of a storable value: equal values have equal encodings, whatever the order of their keys."""
    return _encode(value)


def read_shared(shared: Map[Any] | Array[Any]) -> Any:
    """The JSON of a shared map or array and all that is nested in it, keys sorted.

    Shared text is a string, XML its markup, bytes a list of numbers, a subdocument an object with its guid.
    """
    try:
        return _decode(_encode(_decode(str(shared))))
    except RecursionError:
        raise EditError("too_deep", "the document is nested too deep to be read as JSON") from None
