"""Which series: a metric's name, in which `*` stands for anything, and what its labels have to be.

`cpu`, `postgresql.*`, `cpu{host="a",mode=~"u.*"}`. Matchers are `=`, `!=`, `=~` and `!~` with a regular expression
(RE2) of the whole value; a label that is not there is the empty text. In texts `\\"` and `\\\\` stand for `"` and `\\`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.rules.patterns import SafePattern
from analysis.rules.rule_types import RuleError
from handlers.event_patterns import matches
from handlers.registry import InvalidRequest
from storage.samples.columns import Series

Comparison = Literal["=", "!=", "=~", "!~"]
_NAME = re.compile(r'[^\s{}",=~!]+')
_MATCHER = re.compile(r'\s*(?P<label>[^\s{}",=~!]+)\s*(?P<how>=~|!~|!=|=)\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*')
_ESCAPED = re.compile(r"\\(.)")
_MOST_MATCHERS = 20


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    how: Comparison
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """`name` is a metric's, with `*` for anything."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether it is of one metric."""
        return "*" not in self.name


def read_selectors(texts: Sequence[str]) -> tuple[Selector, ...]:
    """The selectors of the texts, each of which may hold several with commas between. Raises InvalidRequest."""
    return tuple(dict.fromkeys(selector for text in texts for selector in _of_text(text)))


def _of_text(text: str) -> Iterable[Selector]:
    place = 0
    while True:
        place = _skip_blanks(text, place)
        name = _NAME.match(text, place)
        if name is None:
            raise _invalid(text, place, "the name of a metric")
        place = name.end()
        matchers: list[Matcher] = []
        if text[place : place + 1] == "{":
            place, matchers = _matchers(text, place + 1)
        yield Selector(name[0], tuple(matchers))
        place = _skip_blanks(text, place)
        if place == len(text):
            return
        if text[place] != ",":
            raise _invalid(text, place, "`,` or the end")
        place += 1


def _matchers(text: str, place: int) -> tuple[int, list[Matcher]]:
    """Where they end, behind the closing brace, and they."""
    found: list[Matcher] = []
    while True:
        place = _skip_blanks(text, place)
        if text[place : place + 1] == "}":
            return place + 1, found
        match = _MATCHER.match(text, place)
        if match is None or len(found) == _MOST_MATCHERS:
            raise _invalid(text, place, f'`label="value"`, {_MOST_MATCHERS} at most')
        how: Comparison = match["how"]  # type: ignore[assignment]
        found.append(Matcher(match["label"], how, _ESCAPED.sub(r"\1", match["value"])))
        place = match.end()
        if text[place : place + 1] == ",":
            place += 1
        elif text[place : place + 1] != "}":
            raise _invalid(text, place, "`,` or `}`")


def _skip_blanks(text: str, place: int) -> int:
    while text[place : place + 1].isspace():
        place += 1
    return place


def _invalid(text: str, place: int, expected: str) -> InvalidRequest:
    message = f"In {text!r}, after {place} characters, {expected} should stand."
    return InvalidRequest(message, code="bad_metric", details={"parameter": "metrics", "position": place})


def chosen(series: Sequence[Series], selectors: Iterable[Selector]) -> list[Series]:
    """Those of the series that one of the selectors is about, ordered by metric and labels. Raises InvalidRequest."""
    found: dict[int, Series] = {}
    for selector in selectors:
        found.update((each.id, each) for each in _of_selector(series, selector))
    return sorted(found.values(), key=lambda each: (each.key.metric, each.key.labels))


def _of_selector(series: Sequence[Series], selector: Selector) -> list[Series]:
    names = {each.key.metric for each in series}
    named = {name for name in names if name == selector.name or matches(name, [selector.name])}
    left = [each for each in series if each.key.metric in named]
    for matcher in selector.matchers:
        # Also where none is left: an expression that is none is told, rather than an empty answer.
        values = [dict(each.key.labels).get(matcher.label, "") for each in left]
        verdicts = _verdicts(matcher, sorted(set(values)))
        left = [each for each, value in zip(left, values, strict=True) if verdicts[value]]
    return left


def _verdicts(matcher: Matcher, values: list[str]) -> dict[str, bool]:
    wanted = not matcher.how.startswith("!")
    if not matcher.how.endswith("~"):
        return {value: (value == matcher.value) is wanted for value in values}
    try:
        pattern = SafePattern(matcher.value)
    except RuleError as error:
        message = f"{matcher.label}{matcher.how}: {error}."
        raise InvalidRequest(message, code="bad_metric", details={"parameter": "metrics"}) from None
    try:
        return {value: found is wanted for value, found in zip(values, pattern.matches(values), strict=True)}
    finally:
        pattern.close()
