"""Glob patterns of names, upper and lower case alike: `*`, `?` and `[abc]`."""

from __future__ import annotations

import functools
import re
from fnmatch import translate

_WILD = re.compile(r"[*?\[]")


def matches(pattern: str, name: str) -> bool:
    return matches_any((pattern,), name)


def matches_any(patterns: tuple[str, ...], name: str) -> bool:
    """Whether the name is like one of the patterns, looked at all at once."""
    return _compiled(patterns).match(name.casefold()) is not None


def may_meet(one: str, other: str) -> bool:
    """Whether there may be a name that is like both patterns. In doubt there may: only how both begin is compared."""
    if not _WILD.search(other):
        return matches(one, other)
    if not _WILD.search(one):
        return matches(other, one)
    begins = [_WILD.split(each.casefold(), 1)[0] for each in (one, other)]
    return begins[0].startswith(begins[1]) or begins[1].startswith(begins[0])


# As many as a workspace has policies, several times.
@functools.lru_cache(maxsize=2_000)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(each.casefold()) for each in patterns) or r"(?!)")
