"""Versions of servers as they tell them, as numbers that sort, and what a distribution added to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

# PostgreSQL counted two numbers a line until 9.6; from 10 on one.
_TWO_NUMBERED = 10
_MAJOR, _MINOR = 10_000, 100

# MariaDB puts this before its version for replicas of the time when MySQL was at 5.5.
_REPLICATION_PREFIX = "5.5.5-"
_PRODUCT_WORDS = re.compile(r"^(postgresql|mariadb|mysql|sqlite)\s+", re.IGNORECASE)
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_PRERELEASE = re.compile(r"^(?:devel|alpha|beta|rc)\d*")
_IN_BRACKETS = re.compile(r"^\s*\(([^)]*)\)")
# What servers append of themselves, which says nothing of who built them.
_OWN_SUFFIXES = re.compile(
    r"-(?:mariadb|log|debug|community|enterprise|commercial|lts|standard|valgrind|asan)(?=-|$)", re.IGNORECASE
)

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """`numbers` end without zeros, so that 15 is 15.0. `packaging` is what a distribution or provider appended, which
    may hold fixes that the numbers do not tell of; None where nobody did."""

    numbers: Numbers
    packaging: str | None = None

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) or "0"


def parse(product: str, text: str, number: int = 0) -> Version:
    """The version in what a server says of itself: `15.18 (Debian 15.18-0+deb12u1)`, `10.11.19-MariaDB-log`, `3.40.1`.

    `number` is PostgreSQL's server_version_num, which is believed where there is one; other products give none.
    Raises ValueError where there is no version in the text.
    """
    text = _PRODUCT_WORDS.sub("", text.strip())
    if product == "mariadb":
        text = text.removeprefix(_REPLICATION_PREFIX)
    found = _NUMBERS.match(text)
    if found is None:
        raise ValueError(f"{text!r} holds no version; a version begins with a number, such as 15.19.")
    numbers = _of_server_version_num(number) if product == "postgresql" and number else of(found.group())
    return Version(numbers, _packaging(text[found.end() :]))


def of(text: str) -> Numbers:
    """`15.16` as (15, 16). Raises ValueError for anything but numbers between dots."""
    if not _NUMBERS.fullmatch(text):
        raise ValueError(f"{text!r} is no version; use numbers between dots, such as 15.16.")
    return _trimmed(tuple(map(int, text.split("."))))


def line_of(product: str, numbers: Numbers) -> str:
    """The line of releases that a version belongs to and gets its fixes in: `15`, `9.6`, `10.11`, `8.4`."""
    major, minor = (*numbers, 0, 0)[:2]
    if product == "postgresql" and major >= _TWO_NUMBERED:
        return str(major)
    return f"{major}.{minor}"


def _of_server_version_num(number: int) -> Numbers:
    major, rest = divmod(number, _MAJOR)
    return _trimmed((major, rest) if major >= _TWO_NUMBERED else (major, *divmod(rest, _MINOR)))


def _trimmed(numbers: Numbers) -> Numbers:
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers


def _packaging(rest: str) -> str | None:
    bracketed = _IN_BRACKETS.match(rest)
    if bracketed:
        return bracketed.group(1).strip() or None
    # The sentence goes on, as `on x86_64-pc-linux-gnu` does.
    word = _PRERELEASE.sub("", rest).split(" ", 1)[0]
    return _OWN_SUFFIXES.sub("", word).strip("-+~ ") or None
