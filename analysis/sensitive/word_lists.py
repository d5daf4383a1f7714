"""Frequent names of people in several languages, and words of addresses and of health, to tell columns of them by.

A column of names need not hold many of these: one in three is far more than other columns have.
"""

from __future__ import annotations

from importlib.resources import files


def words(name: str) -> frozenset[str]:
    """The words of a list that is shipped with this package, in lower case and without accents."""
    return frozenset(files("analysis.sensitive").joinpath("words", f"{name}.txt").read_text(encoding="utf-8").split())


FIRST_NAMES = words("first_names")
LAST_NAMES = words("last_names")
STREET_WORDS = words("street_words")
STREET_ENDINGS = (
    "straße",
    "strasse",
    "str.",
    "weg",
    "gasse",
    "allee",
    "platz",
    "damm",
    "ufer",
    "straat",
    "laan",
    "gatan",
)
GENDERS = words("genders")
BLOOD_TYPES = frozenset(f"{group}{sign}" for group in ("a", "b", "ab", "o", "0") for sign in ("+", "-"))
