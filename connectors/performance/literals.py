"""Statements without a single literal, for those who may see what is asked of a source, but not its rows."""

from __future__ import annotations

import re

_PLACE = "?"
# Comments go, as people put values there as well. A text that was cut may end inside of quotes.
_COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_NAME = r"[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*"
_NUMBER = r"\d[\w.]*(?:(?<=[eE])[-+]\d+)?|\.\d\w*"
_STANDARD = re.compile(
    rf"""(?P<comment>{_COMMENT})
    |(?P<keep>"(?:[^"]|"")*(?:"|\Z)|\$\d+)
    |(?P<literal>[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
      |\$(?P<tag>(?:{_NAME})?)\$.*?(?:\$(?P=tag)\$|\Z)|{_NUMBER})
    |(?P<name>{_NAME})""",
    re.DOTALL | re.VERBOSE,
)
# Double quotes are strings here, unless the server is told otherwise, and backslashes escape.
_MYSQL = re.compile(
    rf"""(?P<comment>{_COMMENT}|\#[^\n]*)
    |(?P<keep>`(?:[^`]|``)*(?:`|\Z))
    |(?P<literal>(?:[bBxXnN]|_\w+\s*)?'(?:[^'\\]|''|\\.)*(?:'|\Z)|"(?:[^"\\]|""|\\.)*(?:"|\Z)|{_NUMBER})
    |(?P<name>{_NAME})""",
    re.DOTALL | re.VERBOSE,
)
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")


def without_literals(sql: str, *, backslashes: bool = False) -> str:
    """The statement in one line with `?` for every literal; lists of them are one. `backslashes`: it is MySQL's."""
    pattern = _MYSQL if backslashes else _STANDARD
    bare = pattern.sub(_replaced, sql)
    return _LIST.sub("(?)", " ".join(bare.split()))


def _replaced(found: re.Match[str]) -> str:
    if found["comment"] is not None:
        return " "
    return _PLACE if found["literal"] is not None else found[0]
