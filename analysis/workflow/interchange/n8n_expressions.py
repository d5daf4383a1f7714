"""Expressions of n8n in CEL: paths into what a node gave, and comparisons. Others are JavaScript and stay behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

_BRACES: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_PATH: Final = re.compile(
    r"""(?:\$json|\$node\[(?P<quote>["'])(?P<old>[^"']+)(?P=quote)\]\.json|\$\((?P<mark>["'])(?P<new>[^"']+)(?P=mark)\)"""
    r"""\.(?:item|first\(\))\.json)(?P<rest>(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\])*)"""
)
_TWO_SIDES: Final = {
    "equals": "{} == {}",
    "notEquals": "{} != {}",
    "gt": "{} > {}",
    "gte": "{} >= {}",
    "lt": "{} < {}",
    "lte": "{} <= {}",
    "contains": "{}.contains({})",
    "startsWith": "{}.startsWith({})",
    "endsWith": "{}.endsWith({})",
}
_ONE_SIDE: Final = {"true": "{} == true", "false": "{} == false", "exists": "has({})", "notExists": "!has({})"}
_FIELD: Final = re.compile(r".*\.[A-Za-z_][A-Za-z0-9_]*")

Scalar = str | float | bool | None


class NoCounterpart(Exception):
    """What is said there cannot be said here."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a node's expressions see, in CEL: what came into it, None where that is not one thing, and by their names
    what other nodes gave."""

    before: str | None
    given: Mapping[str, str]

    def input(self) -> str:
        """What the node before gave."""
        if self.before is None:
            raise NoCounterpart
        return self.before

    def path(self, source: str) -> str:
        """`$json.a`, `$node["A"].json.a` or `$("A").item.json.a` in CEL."""
        match = _PATH.fullmatch(source)
        if match is None:
            raise NoCounterpart
        name = match["old"] or match["new"]
        if name is None:
            return self.input() + match["rest"]
        if name not in self.given:
            raise NoCounterpart
        return self.given[name] + match["rest"]


def text(source: Any, names: Names) -> str:
    """A text that may have expressions in it."""
    if not isinstance(source, str):
        raise NoCounterpart
    if not source.startswith("="):
        return source.replace("${", "$${")
    return _BRACES.sub(lambda match: "${" + names.path(match[1]) + "}", source[1:].replace("${", "$${"))


def value(source: Scalar, names: Names) -> str:
    """A value as CEL: a literal, or the path that it is."""
    if isinstance(source, str) and source.startswith("="):
        match = _BRACES.fullmatch(source[1:].strip())
        if match is None:
            raise NoCounterpart
        return names.path(match[1])
    return msgspec.json.encode(source).decode()


class _Operator(msgspec.Struct, frozen=True):
    operation: str


class _Condition(msgspec.Struct, frozen=True, rename="camel"):
    operator: _Operator
    left_value: Scalar = None
    right_value: Scalar = None


class _Conditions(msgspec.Struct, frozen=True):
    conditions: list[_Condition]
    combinator: str = "and"
    options: dict[str, Any] = msgspec.field(default_factory=dict)


def condition(source: Any, names: Names) -> str:
    """The conditions of an `if`, of its version 2 on. Raises NoCounterpart, ValidationError."""
    found = msgspec.convert(source, _Conditions)
    sign = {"and": " && ", "or": " || "}.get(found.combinator)
    if sign is None or not found.conditions or found.options.get("caseSensitive") is False:
        raise NoCounterpart
    return sign.join(_compared(entry, names) for entry in found.conditions)


def _compared(entry: _Condition, names: Names) -> str:
    left, operation = value(entry.left_value, names), entry.operator.operation
    if operation in _ONE_SIDE:
        if "has" in _ONE_SIDE[operation] and not _FIELD.fullmatch(left):
            raise NoCounterpart
        return _ONE_SIDE[operation].format(left)
    if operation not in _TWO_SIDES:
        raise NoCounterpart
    return _TWO_SIDES[operation].format(left, value(entry.right_value, names))
