"""The text of a statement without its comments, and in its parts.

Strangers write what a log holds, so each part is looked at once: what opens and never ends is searched for its end only
the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

_OPENING = re.compile(r"'|\"|\$\w*\$|--|/\*(?!!)")
# What MySQL executes although it looks like a comment.
_EXECUTED_COMMENT = re.compile(r"/\*!\d*|\*/")
_SPACE = re.compile(r"\s+")

_Sort = Literal["code", "quoted", "comment"]


def plain(statement: str) -> str:
    """Without comments, and with single spaces."""
    if "--" in statement or "/*" in statement:
        statement = "".join(" " if sort == "comment" else text for sort, text in _pieces(statement))
        statement = _EXECUTED_COMMENT.sub(" ", statement)
    return _SPACE.sub(" ", statement).strip()


def parts_of(statement: str) -> list[str]:
    """Its statements, as semicolons part them; one within quotes parts nothing."""
    parts = [""]
    for sort, text in _pieces(statement):
        first, *others = text.split(";") if sort == "code" else [text]
        parts[-1] += first
        parts += others
    return [part.strip() for part in parts if part.strip()]


def _pieces(statement: str) -> Iterator[tuple[_Sort, str]]:
    """All of it in order. What opens and never ends is code."""
    endless: set[str] = set()
    done = at = 0
    while found := _OPENING.search(statement, at):
        opening = found[0]
        end = -1 if opening in endless else _end_of(statement, opening, found.end())
        if end < 0:
            endless.add(opening)
            at = found.end()
            continue
        if found.start() > done:
            yield "code", statement[done : found.start()]
        yield "comment" if opening in ("--", "/*") else "quoted", statement[found.start() : end]
        done = at = end
    if done < len(statement):
        yield "code", statement[done:]


def _end_of(statement: str, opening: str, start: int) -> int:
    """Where it is over; -1 if nowhere."""
    if opening == "--":
        end = statement.find("\n", start)
        return len(statement) if end < 0 else end
    closing = "*/" if opening == "/*" else opening
    end = statement.find(closing, start)
    while opening == "'" and end >= 0 and statement.startswith("''", end):
        further = statement.find(closing, end + 2)
        if further < 0:
            # The last doubled one ends it after all.
            break
        end = further
    return end if end < 0 else end + len(closing)
