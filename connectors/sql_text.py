"""SQL as text: names quoted, and whether a statement only reads.

What a rule's SQL may do is decided by the session, which is read-only in every kind of source. The look at the text
is for what such sessions let pass, like SELECT INTO OUTFILE, and for a plain message.
"""

from __future__ import annotations

import re

from connectors.datasets import DatasetRef
from connectors.errors import DatasetNotFound, NotReadOnly

LONGEST_STATEMENT = 100_000

_READING = frozenset({"select", "with", "values", "table", "from"})
# What is quoted or commented out, in the SQL of any of the kinds; backslashes escape in MySQL and in E'' strings.
_QUOTED = r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`(?:[^`]|``)*`"""
_QUOTED_PLAINLY = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$"""
_COMMENT = r"--[^\n]*|/\*.*?\*/"
_WITH_BACKSLASHES = re.compile(f"{_QUOTED}|{_COMMENT}|#[^\n]*", re.DOTALL)
_WITHOUT = re.compile(f"{_QUOTED_PLAINLY}|{_COMMENT}", re.DOTALL)
_EXECUTED_COMMENT = re.compile(r"/\*M?!")


def quoted(name: str, mark: str = '"') -> str:
    """A name as SQL takes it, whatever is in it. Raises DatasetNotFound for one that no source can have."""
    if not name or "\0" in name:
        raise DatasetNotFound(f"there is nothing named {name!r}")
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def quoted_ref(ref: DatasetRef, mark: str = '"') -> str:
    """A dataset as SQL takes it, with its schema if it has one."""
    return ".".join(quoted(part, mark) for part in (ref.schema, ref.name) if part is not None)


def one_select(sql: str, *, backslashes: bool = False) -> str:
    """The statement without what follows its end. Raises NotReadOnly unless it looks like one that only reads."""
    if len(sql) > LONGEST_STATEMENT:
        raise NotReadOnly(f"the statement has {len(sql)} characters; at most {LONGEST_STATEMENT} are taken")
    if "\0" in sql:
        raise NotReadOnly("U+0000 is not allowed in a statement")
    if backslashes and _EXECUTED_COMMENT.search(sql):
        raise NotReadOnly("comments that the server executes (/*! ... */) are not allowed")
    quotes = _WITH_BACKSLASHES if backslashes else _WITHOUT
    bare = quotes.sub(lambda found: " " if found[0].startswith(("--", "/*", "#")) else " '' ", sql)
    words = re.findall(r"[a-z_][a-z_0-9]*", bare.lower())
    first = bare.lstrip(" \t\r\n(").lower()
    if not words or words[0] not in _READING or not first.startswith(words[0]):
        raise NotReadOnly("only a SELECT is allowed here, or a WITH, VALUES or TABLE that reads")
    if ";" in bare.rstrip().rstrip(";").rstrip():
        raise NotReadOnly("only one statement is allowed")
    if "into" in words:
        raise NotReadOnly("INTO writes; only reading is allowed")
    return sql.rstrip().rstrip(";")
