"""What a text looks like: its pattern of characters, and what it would be if it were parsed."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
from collections.abc import Callable
from functools import lru_cache

# Longer texts are sentences: their patterns would all differ.
_LONGEST_PATTERN = 64

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
UUID_FORMAT = "h{8}-hhhh-hhhh-hhhh-h{12}"
_HEX = re.compile(r"(?<![^\W_])[0-9a-fA-F]{8,}(?![^\W_])")
_RUN = re.compile(r"(.)\1{4,}", re.DOTALL)

# Stands for a digit of a hexadecimal run until the classes of all characters are told.
_HEX_MARK = "\x00"

_CLASSES: dict[int, str] = {
    **dict.fromkeys(range(ord("0"), ord("9") + 1), "9"),
    **dict.fromkeys(range(ord("A"), ord("Z") + 1), "A"),
    **dict.fromkeys(range(ord("a"), ord("z") + 1), "a"),
    0: "h",
}


def format_of(text: str) -> str:
    """The pattern: `AB-12` gives `AA-99`. See TextFigures for the letters."""
    cut = text[:_LONGEST_PATTERN]
    if len(cut) >= 8:
        if len(cut) == 36 and _UUID.fullmatch(cut):
            return UUID_FORMAT
        cut = _HEX.sub(_marked, cut)
    pattern = cut.translate(_CLASSES) if cut.isascii() else "".join(map(_class_of, cut))
    pattern = _runs_told(pattern)
    return f"{pattern}…" if len(text) > _LONGEST_PATTERN else pattern


def _marked(match: re.Match[str]) -> str:
    run = match.group()
    return run if run.isdigit() or run.isalpha() else _HEX_MARK * len(run)


def _class_of(character: str) -> str:
    if character == _HEX_MARK:
        return "h"
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a" if character.islower() else "w"
    return character


@lru_cache(maxsize=4096)
def _runs_told(pattern: str) -> str:
    return _RUN.sub(lambda run: f"{run.group(1)}{{{len(run.group())}}}", pattern)


def types_of(text: str, pattern: str) -> tuple[str, ...]:
    """The types that the text reads as, given its pattern. Most texts read as none, and the pattern says so."""
    return tuple(name for name, check in _candidates(pattern) if check is None or check(text))


Check = Callable[[str], bool]


@lru_cache(maxsize=4096)
def _candidates(pattern: str) -> tuple[tuple[str, Check | None], ...]:
    """Types that a text of this pattern may be of; None for those that it surely is of."""
    return tuple((name, check) for name, wanted, check in _TYPES if wanted.search(pattern))


def _is_integer(text: str) -> bool:
    return text.isascii()


def _is_number(text: str) -> bool:
    return text.isascii() and _NUMBER.fullmatch(text) is not None


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTHS = frozenset({"true", "false", "yes", "no", "t", "f", "y", "n"})


def _is_boolean(text: str) -> bool:
    return text.lower() in _TRUTHS


_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")


def _is_date(text: str) -> bool:
    for shape in _DATES:
        try:
            datetime.datetime.strptime(text, shape)  # noqa: DTZ007 - only whether it parses
        except ValueError:
            continue
        return True
    return False


def _is_timestamp(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        datetime.time.fromisoformat(text)
    except ValueError:
        return False
    return True


_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}")
_URL = re.compile(r"(?:https?|ftp)://[^\s/?#]+\S*", re.IGNORECASE)


def _is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def _is_url(text: str) -> bool:
    return _URL.fullmatch(text) is not None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


# A nine stands for any digit here, so what may stand in for it must be looked at once more.
_TYPES: tuple[tuple[str, re.Pattern[str], Check | None], ...] = (
    ("integer", re.compile(r"^[+-]?(9{1,4}|9\{\d+\})$"), _is_integer),
    ("number", re.compile(r"^[+-]?[9.h][9.{}\daAe+h-]*$"), _is_number),
    ("boolean", re.compile(r"^[aA]{1,5}$|^[aA]\{5\}$"), _is_boolean),
    ("date", re.compile(r"^9{1,4}[-/.]99?[-/.]9{1,4}$"), _is_date),
    ("timestamp", re.compile(r"^9999-99-99[ aA]99:99"), _is_timestamp),
    ("time", re.compile(r"^99:99(:99)?"), _is_time),
    ("uuid", re.compile(rf"^{re.escape(UUID_FORMAT)}$"), None),
    ("email", re.compile(r"@"), _is_email),
    ("url", re.compile(r"://"), _is_url),
    ("ip", re.compile(r"^9{1,3}\.9{1,3}\.9{1,3}\.9{1,3}$|^[9aAh:.{}\d]*:[9aAh:.{}\d]*$"), _is_ip),
    ("json", re.compile(r"^\s*[{\[]"), _is_json),
)
TYPE_NAMES = tuple(name for name, _, _ in _TYPES)
