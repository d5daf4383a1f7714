"""Statements out of SQL text, within limits: what is too large or too deep is refused before it costs anything."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from analysis.lineage.edges import Problem
from analysis.lineage.names import folded

R = TypeVar("R")

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
# The parser goes a level deeper with each of these that follow each other.
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.TILDE, TokenType.PLUS, TokenType.PARAMETER})
_WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one text may ask for. Bounds, not aims: ordinary statements need a hundredth."""

    characters: int = 500_000
    # A list of 10,000 values has 20,000; the parser takes some 50 µs a token.
    tokens: int = 30_000
    # The parser recurses, some 12 frames a level of 1,000 that there are.
    depth: int = 40
    # Origins of columns that are put together: a star over a star over a star grows without a bound.
    steps: int = 500_000
    seconds: float = 5.0


class LimitError(Exception):
    """The statement is refused for its size."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(code, message)


class Budget:
    """What is left of the limits while a text is worked on."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._deadline = clock() + limits.seconds
        self._steps = limits.steps

    def spend(self, steps: int = 1) -> None:
        """Raises LimitError when nothing is left."""
        self._steps -= steps
        if self._steps < 0:
            raise LimitError("too_many_columns", f"It takes more than {self.limits.steps} steps to follow its columns.")
        if self._clock() > self._deadline:
            raise LimitError("too_slow", f"It takes more than {self.limits.seconds:g} s to follow its columns.")


def parse(sql: str, dialect: str, budget: Budget) -> list[exp.Expr]:
    """The statements of a text, their identifiers folded. Raises LimitError, SqlglotError."""
    if len(sql) > budget.limits.characters:
        raise LimitError("too_long", f"It has {len(sql)} characters; at most {budget.limits.characters} are read.")
    # What it cannot parse it tells a log about, and hands on as a Command: we answer for that.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    reader = sqlglot.Dialect.get_or_raise(dialect)
    tokens = reader.tokenize(sql)
    _check(tokens, budget.limits)
    statements = [one for one in reader.parser().parse(tokens, sql) if one is not None]
    budget.spend()
    for statement in statements:
        _fold_identifiers(statement, dialect)
    return statements


def _check(tokens: list[Token], limits: Limits) -> None:
    if len(tokens) > limits.tokens:
        raise LimitError("too_long", f"It has {len(tokens)} words and signs; at most {limits.tokens} are read.")
    depth = deepest = prefixes = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        prefixes = prefixes + 1 if kind in _PREFIXES else 0
        deepest = max(deepest, depth + prefixes)
    if deepest > limits.depth:
        raise _too_deep(limits.depth)


def _too_deep(depth: int) -> LimitError:
    return LimitError("too_deep", f"It is nested more than {depth} levels deep.")


def with_whole_stack(work: Callable[[], R]) -> R:
    """Runs the work where nothing is on the stack yet, so that how deep it may go does not depend on its caller."""
    results: list[R] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="lineage")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def reason(error: SqlglotError) -> Problem:
    """Why a text could not be parsed, in one sentence."""
    first = re.split(r"\. Line \d| but got <", str(error).splitlines()[0], maxsplit=1)[0].rstrip(".: ")
    details = getattr(error, "errors", None) or [{}]
    line, column = details[0].get("line"), details[0].get("col")
    where = f" (line {line}, column {column})" if line else ""
    return Problem("not_parsed", f"It cannot be parsed{where}: {first}.")


def _fold_identifiers(statement: exp.Expr, dialect: str) -> None:
    for node in statement.find_all(exp.Identifier):
        name = node.name
        node.meta[_WRITTEN] = name.lower() if dialect == "postgres" and not node.quoted else name
        node.set("this", folded(name, dialect, quoted=bool(node.quoted)))


def written(node: exp.Expr | None, otherwise: str = "") -> str:
    """The name as it was written, where it makes a new one."""
    if isinstance(node, exp.Identifier):
        return str(node.meta.get(_WRITTEN, node.name))
    return otherwise if node is None else node.name
