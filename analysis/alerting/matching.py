"""Which series a rule selects, and which of them are one group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from analysis.alerting.specs import Matcher, SpecError
from analysis.rules.expressions import Expression, ExpressionFailed

Labels = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1)
def _pattern() -> Expression:
    # CEL matches by RE2, whose time grows with the text and no faster.
    return Expression("text.matches(pattern)", ("text", "pattern"))


@lru_cache(maxsize=50_000)
def _matches(pattern: str, text: str) -> bool:
    return _pattern().holds({"text": text, "pattern": f"^(?s:{pattern})$"})


def check_matchers(matchers: Iterable[Matcher]) -> None:
    """Raises SpecError for a pattern that is none."""
    for matcher in matchers:
        if matcher.op in ("=~", "!~"):
            try:
                _matches(matcher.value, "")
            except ExpressionFailed as error:
                raise SpecError(f"{matcher.value!r} is no regular expression of RE2: {error}") from error


def selects(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them hold. A label that is not there is the empty text."""
    return all(_holds(matcher, labels.get(matcher.label, "")) for matcher in matchers)


def _holds(matcher: Matcher, text: str) -> bool:
    if matcher.op in ("=", "!="):
        return (text == matcher.value) is (matcher.op == "=")
    return _matches(matcher.value, text) is (matcher.op == "=~")


def group_of(labels: Labels, group_by: tuple[str, ...] | None) -> Labels:
    """The labels of the group that a series of these labels belongs to; its own where it is one for itself."""
    if group_by is None:
        return labels
    known = dict(labels)
    return tuple((name, known.get(name, "")) for name in sorted(set(group_by)))
