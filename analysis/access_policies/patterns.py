"""Glob patterns of names, upper and lower case alike: `*`, `?` and `[abc]`."""

from __future__ import annotations

import functools
import re
from fnmatch import translate


def matches(pattern: str, name: str) -> bool:
    return matches_any((pattern,), name)


def matches_any(patterns: tuple[str, ...], name: str) -> bool:
    """Whether the name is like one of the patterns, looked at all at once."""
    return _compiled(patterns).match(name.casefold()) is not None


# As many as a workspace has policies, several times.
@functools.lru_cache(maxsize=2_000)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(each.casefold()) for each in patterns) or r"(?!)")
