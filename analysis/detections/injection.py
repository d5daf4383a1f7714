"""Whether what somebody entered is meant to change a SQL statement.

A cheap look for the signs that every injection needs comes first. What has one is put where a careless program would
put it, into a comparison, and parsed: an injection is what makes more of the statement than the one comparison.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from analysis.detections.events import Event

# Nobody injects without leaving the literal, adding a condition or a statement, or a comment that hides the rest.
_SIGNS = re.compile(
    r"'|\"|;|--|/\*|#|\b(or|and|union|select|having|order\s+by|sleep|pg_sleep|benchmark|waitfor|case)\b|\|\||&&",
    re.IGNORECASE,
)
_MOST = 2_000
# So much is parsed: that takes time, and strangers write the texts.
_PARSED = 500
_TEMPLATES = {
    "'": (
        "SELECT a FROM t WHERE b = '{}'",
        "SELECT a FROM t WHERE (b = '{}')",
        "SELECT a FROM t WHERE ((b = '{}'))",
    ),
    '"': ('SELECT a FROM t WHERE b = "{}"',),
}
_UNQUOTED = ("SELECT a FROM t WHERE b = {}", "SELECT a FROM t WHERE (b = {})")
# What a program puts between no quotes is a number; a text that begins with a word would be one.
_NUMBER = re.compile(r"\s*[-+(]*(\d|null\b|true\b|false\b|@@)", re.IGNORECASE)
_DIALECTS = ("postgres", "mysql")
_MORE = (exp.Or, exp.And, exp.Union, exp.Subquery, exp.Order, exp.Having, exp.Anonymous, exp.Func, exp.Xor)
_ATTACK = re.compile(
    r"\bunion\b[\s\S]{0,60}\bselect\b|\b(or|and|xor|having|where)\b\s*\(*\s*['\"]?\w+['\"]?\s*(=|<>|<|>|like\b|is\b|in\b)"
    r"|\b(pg_sleep|sleep|benchmark|extractvalue|updatexml|load_file|xp_cmdshell|dbms_\w+)\s*\(|\bwaitfor\s+delay\b"
    r"|;\s*(drop|delete|update|insert|alter|create|exec|truncate|shutdown|declare|select|copy)\b"
    r"|\binformation_schema\b|\bpg_catalog\b|\binto\s+(out|dump)file\b|\border\s+by\s+\d+\s*(--|#|/\*|$)",
    re.IGNORECASE,
)
_ENDED = re.compile(r"['\"]\s*\)*\s*(--|#|/\*|;)|['\"]\s*(\|\||&&|\bor\b|\band\b)", re.IGNORECASE)
_BLANKS = re.compile(r"\s{2,}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def look_at_inputs(events: Iterable[Event]) -> None:
    """What is entered in events is parsed, and known from then on: to be done where nobody waits for it."""
    for event in events:
        if event.input:
            is_injection(event.input)


# More than a push can hold.
@functools.lru_cache(maxsize=16_384)
def is_injection(entered: str) -> bool:
    """Whether the text is an attempt at SQL injection."""
    if not _SIGNS.search(entered):
        return False
    text = _BLANKS.sub(_one_blank, _COMMENT.sub(" ", entered[:_MOST]))
    signs = [found.start() for sign in (_ATTACK, _ENDED) if (found := sign.search(text))]
    if not signs:
        return False
    # A literal is left by its own quote alone.
    templates = [template for quote, those in _TEMPLATES.items() if quote in text for template in those]
    if _NUMBER.match(text):
        templates = [*_UNQUOTED, *templates]
    text = _around(text, min(signs))
    return any(_changes(template.format(text), dialect) for template in templates for dialect in _DIALECTS)


def _one_blank(found: re.Match[str]) -> str:
    """A comment ends with its line, so that lines stay."""
    return "\n" if "\n" in found[0] else " "


def _around(text: str, sign: int) -> str:
    """What is parsed of a long text: from the quote on that the literal may have been left by before the sign."""
    if len(text) <= _PARSED:
        return text
    first = max(0, *(text.rfind(quote, 0, sign + 1) for quote in _TEMPLATES))
    return text[first : first + _PARSED]


def _changes(statement: str, dialect: str) -> bool:
    """Whether it is valid SQL that says more than one comparison with a literal."""
    # What a comment hides does not have to fit.
    for cut in dict.fromkeys((statement, re.split(r"--|#", statement, maxsplit=1)[0])):
        try:
            parsed = [each for each in sqlglot.parse(cut, read=dialect) if each is not None]
        except (SqlglotError, RecursionError):
            continue
        if len(parsed) > 1 or _says_more(parsed, cut != statement):
            return True
    return False


def _says_more(parsed: list[exp.Expr], is_cut: bool) -> bool:
    if not parsed:
        return False
    first = parsed[0]
    if first.find(*_MORE) is not None:
        return True
    # A comparison with a whole literal, after which all else is a comment.
    where = first.find(exp.Where)
    return is_cut and where is not None and isinstance(where.this, exp.EQ)
