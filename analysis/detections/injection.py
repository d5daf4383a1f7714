"""Whether what somebody entered is meant to change a SQL statement.

A cheap look for the signs that every injection needs comes first. What has one is put where a careless program would
put it, into a comparison, and parsed: an injection is what makes more of the statement than the one comparison.
"""

from __future__ import annotations

import functools
import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

# Nobody injects without leaving the literal, adding a condition or a statement, or a comment that hides the rest.
_SIGNS = re.compile(
    r"'|\"|;|--|/\*|#|\b(or|and|union|select|having|order\s+by|sleep|pg_sleep|benchmark|waitfor|case)\b|\|\||&&",
    re.IGNORECASE,
)
_MOST = 2_000
_TEMPLATES = (
    "SELECT a FROM t WHERE b = '{}'",
    'SELECT a FROM t WHERE b = "{}"',
    "SELECT a FROM t WHERE (b = '{}')",
    "SELECT a FROM t WHERE ((b = '{}'))",
)
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
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@functools.lru_cache(maxsize=8_192)
def is_injection(entered: str) -> bool:
    """Whether the text is an attempt at SQL injection."""
    if not _SIGNS.search(entered):
        return False
    text = _COMMENT.sub(" ", entered[:_MOST])
    if not (_ATTACK.search(text) or _ENDED.search(text)):
        return False
    templates = (*_UNQUOTED, *_TEMPLATES) if _NUMBER.match(text) else _TEMPLATES
    return any(_changes(template.format(text), dialect) for template in templates for dialect in _DIALECTS)


def _changes(statement: str, dialect: str) -> bool:
    """Whether it is valid SQL that says more than one comparison with a literal."""
    # What a comment hides does not have to fit.
    for cut in (statement, re.split(r"--|#", statement, maxsplit=1)[0]):
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
