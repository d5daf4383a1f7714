"""What a type of sensitive data is known by: words in a column's name, and a check of single values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from analysis.columns import Kind
from analysis.sensitive.findings import Category

TEXTS = frozenset({Kind.TEXT, Kind.OTHER})
DIGITS = TEXTS | {Kind.INTEGER, Kind.DECIMAL}

# No column of values is worth more than that: what would be one in a billion is rather a case nobody thought of.
MOST_EVIDENCE = 9.0


@dataclass(frozen=True, slots=True)
class Detector:
    """A type of sensitive data.

    `strong` and `weak` are phrases of words that stand side by side in a column's name. `check` tells a value of the
    type, None where values cannot tell. `base_rate` is the share of random values of the same shape that pass it,
    `typical` the share in a real column. `most_evidence` bounds, as a power of ten, what values alone may say: little
    for a check that ordinary numbers pass. Where `needs_name`, values without a name that fits say nothing. What is
    `of_places` says where something is: among columns that make the rows places, it is nobody's. Where the name says
    nothing of the type, `nameless` is the check instead: a narrower one, for values that other things look like. A name
    with one of the words `unlike` is of such a thing, unless it says the type strongly. Of the values that are `among`
    those which may be of the type, as numbers that begin like a card's, the share `rate_among` passes by chance: all
    values of a column may be such ones.
    """

    type: str
    title: str
    category: Category
    kinds: frozenset[Kind]
    strong: tuple[str, ...]
    weak: tuple[str, ...] = ()
    check: Callable[[str], bool] | None = None
    base_rate: float = 1e-4
    typical: float = 0.95
    most_evidence: float = MOST_EVIDENCE
    needs_name: bool = False
    of_places: bool = False
    nameless: Callable[[str], bool] | None = None
    unlike: frozenset[str] = frozenset()
    among: Callable[[str], bool] | None = None
    rate_among: float = 1.0

    def check_for(self, says: str) -> Callable[[str], bool] | None:
        """The check of values in a column whose name says so much: see `NameEvidence.says`."""
        return self.check if self.nameless is None or says in ("strong", "weak") else self.nameless


def shaped(pattern: str, valid: Callable[[str], bool] | None = None, flags: int = 0) -> Callable[[str], bool]:
    """A check of the whole value against a pattern, and then by `valid`. Patterns must not backtrack without bounds."""
    compiled = re.compile(pattern, flags)

    def check(value: str) -> bool:
        return compiled.fullmatch(value) is not None and (valid is None or valid(value))

    return check


def found_in(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    """A check for the pattern anywhere in the value."""
    compiled = re.compile(pattern, flags)
    return lambda value: compiled.search(value) is not None


def standard(module: str, shape: str) -> Callable[[str], bool]:
    """The check of a number by python-stdnum, for values of a shape; the library's own are wider and slower."""
    is_valid: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid

    def valid(value: str) -> bool:
        try:
            return is_valid(value)
        except Exception:  # some of its modules stumble over numbers that they should refuse
            return False

    return shaped(shape, valid)
