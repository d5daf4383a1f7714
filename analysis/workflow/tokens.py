"""CEL cut into tokens, as far as is needed to see what an expression refers to and where it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["text", "name", "sign", "blank"]

# In raw text a backslash is one, and ends nothing else than itself.
_RAW: Final = r"""(?:[rR][bB]?|[bB][rR])(?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n]*"|'[^'\n]*')"""
_QUOTED: Final = (
    r"""[bB]?(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
)
_TOKEN: Final = re.compile(
    rf"(?P<text>{_RAW}|{_QUOTED})|(?P<blank>\s+|//[^\n]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>.)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    end: int


def tokens(source: str, start: int = 0) -> Iterator[Token]:
    """Quoted texts, names, single signs; white space and comments are `blank`. Together they are the source."""
    for match in _TOKEN.finditer(source, start):
        kind: Kind = match.lastgroup  # type: ignore[assignment]  # the groups are the kinds
        yield Token(kind, match.group(), match.end())


def without_texts(source: str) -> str:
    """The source with quoted texts emptied and comments left out: what is left is to be counted, not run."""
    emptied = {"text": "''", "blank": " "}
    return "".join(emptied.get(token.kind, token.text) for token in tokens(source))
