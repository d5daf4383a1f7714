"""Checks of single values that say who somebody is, where they are or how they are reached."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from analysis.sensitive.word_lists import FIRST_NAMES, LAST_NAMES, STREET_ENDINGS, STREET_WORDS

_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NAME = re.compile(r"[^\W\d_][^\W\d_.'’-]*(?:[ ,.'’-]{1,2}[^\W\d_]+){0,4}\.?")


# Letters that Unicode does not take apart.
_UNMARKED = str.maketrans("łıøđ", "liod")
# What stands before a last name and is a part of it.
_PARTICLES = frozenset(
    (
        "al",
        "ben",
        "bin",
        "da",
        "de",
        "del",
        "della",
        "den",
        "der",
        "di",
        "do",
        "dos",
        "du",
        "el",
        "la",
        "le",
        "mac",
        "mc",
        "o",
        "san",
        "st",
        "ten",
        "ter",
        "van",
        "von",
        "zu",
    )
)


def _plain(word: str) -> str:
    """In lower case and without accents, as the word lists are."""
    folded = unicodedata.normalize("NFKD", word.casefold().translate(_UNMARKED))
    return "".join(character for character in folded if not unicodedata.combining(character))


def _words(value: str) -> list[str]:
    return [_plain(word) for word in _WORDS.findall(value)] if len(value) <= 80 and _NAME.fullmatch(value) else []


def is_first_name(value: str) -> bool:
    words = _words(value)
    if not (0 < len(words) <= 3 and value[:1].isupper() and words[0] in FIRST_NAMES):
        return False
    return all(word in FIRST_NAMES or len(word) == 1 for word in words[1:])  # or its initial


def is_last_name(value: str) -> bool:
    words = _words(value)
    if not (0 < len(words) <= 4 and words[-1] in LAST_NAMES):
        return False
    return value[:1].isupper() and all(word in _PARTICLES or word in LAST_NAMES for word in words[:-1])


def is_full_name(value: str) -> bool:
    """At least two words, one a frequent first name; the order varies with the country."""
    words = _words(value)
    return 2 <= len(words) <= 5 and value[:1].isupper() and any(word in FIRST_NAMES for word in words)


def is_like_a_name(value: str) -> bool:
    """What a name could be in any language and script: a few words, no digits."""
    return len(value) <= 60 and _NAME_LIKE.fullmatch(value) is not None


# Titles and degrees have dots, double names dashes.
_NAME_LIKE = re.compile(r"[^\W\d_]+(?:[ ,.'’()-]{1,3}[^\W\d_]+){0,7}[.)]?")


def is_like_an_address(value: str) -> bool:
    return 4 <= len(value) <= 200 and sum(map(str.isalpha, value)) >= 3 and "@" not in value


# Two of them are a sentence: one may be in the name of a street.
_OF_SENTENCES = frozenset(
    ("and", "at", "been", "for", "from", "has", "have", "is", "not", "on", "the", "to", "was", "were", "with")
)


def is_street_address(value: str) -> bool:
    if not 6 <= len(value) <= 200 or not any(map(str.isdigit, value)):
        return False
    words = re.findall(r"[^\W\d_]+\.?", value.casefold().translate(_UNMARKED))
    if sum(word in _OF_SENTENCES for word in words) > 1:
        return False
    return any(word.rstrip(".") in STREET_WORDS or word.endswith(STREET_ENDINGS) for word in words)


# Numbers as people write them; ten bare digits could be anything.
_PHONE = re.compile(
    r"\+[1-9]\d{0,2}[ .()/-]{0,2}\d(?:[ .()/-]{0,2}\d){5,12}(?: ?(?:x|ext\.?) ?\d{1,5})?"
    r"|00[1-9]\d{0,2}[ .()/-]{1,2}\d(?:[ .()/-]{0,2}\d){5,12}"
    r"|(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,5})?"
    r"|\(?0\d{1,5}\)?[ /.-]{1,3}\d(?:[ .-]?\d){3,9}"
)
_DIALLED = re.compile(r"[+(]?\d(?:[ ()./-]{0,2}\d){5,14}(?: ?(?:x|ext\.?) ?\d{1,5})?")


def is_phone(value: str) -> bool:
    return len(value) <= 32 and _PHONE.fullmatch(value) is not None


def is_dialled(value: str) -> bool:
    return len(value) <= 32 and _DIALLED.fullmatch(value) is not None


_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def is_ip(value: str) -> bool:
    if len(value) > 45 or not (_DOTTED.fullmatch(value) or value.count(":") > 1):
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


# Numbers of versions in four parts pass as addresses, but most of their parts are small: of 98 in 100 addresses of
# the internet two or more are as large as this, as they are of 192.168.0.1.
_LARGE_PART = 32
OF_VERSIONS = frozenset(("version", "versions", "ver", "release", "build", "firmware", "revision", "rev", "assembly"))


def is_ip_and_no_version(value: str) -> bool:
    if not is_ip(value):
        return False
    return ":" in value or sum(int(part) >= _LARGE_PART for part in value.split(".")) >= 2


_PAIR = re.compile(r"\(?\s*(-?\d{1,2}\.\d{3,})\s*[,;]\s*(-?\d{1,3}\.\d{3,})\s*\)?")


def is_coordinates(value: str) -> bool:
    pair = _PAIR.fullmatch(value)
    return pair is not None and abs(float(pair.group(1))) <= 90 and abs(float(pair.group(2))) <= 180


class DegreesCheck:
    """A number of degrees, with a fraction: whole ones are ages and counts."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, value: str) -> bool:
        try:
            degrees = float(value)
        except ValueError:
            return False
        return self._low <= degrees <= self._high and "." in value
