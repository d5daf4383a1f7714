"""What stands among other words: notes, tickets, documents and addresses of the web that name somebody."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from analysis.columns import Kind
from analysis.sensitive.detectors import Detector
from analysis.sensitive.findings import Category

_LONGEST = 10_000
_KINDS = frozenset({Kind.TEXT, Kind.JSON, Kind.OTHER})

# Not the account of every Git address, nor `logo@2x.png` and `getty@tty1.service`.
_EMAIL = re.compile(
    r"(?<![\w.@+-])(?!git@)[A-Za-z0-9._+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}"
    r"\.(?!(?:png|jpe?g|gif|svg|webp|service|socket|timer|local)\b)[A-Za-z]{2,24}(?![\w-])"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_DASHED_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
# With the sign of an international number: other digits in a text could be anything.
_PHONE = re.compile(r"(?<![\w+])\+[1-9]\d{0,2}[ .()/-]{0,2}\d(?:[ .()/-]{0,2}\d){6,12}(?!\w)")


def _holds(pattern: re.Pattern[str], valid: Callable[[str], bool] = bool) -> Callable[[str], bool]:
    """Whether a part of a value matches and is valid; a value that is nothing else belongs to another type."""

    def check(value: str) -> bool:
        found = pattern.finditer(value, 0, min(len(value), _LONGEST))
        return any(len(one[0]) < len(value) and valid(one[0]) for one in found)

    return check


def _valid(module: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return is_valid


def _passage(kind: str, title: str, category: Category, check: Callable[[str], bool], base_rate: float) -> Detector:
    return Detector(kind, title, category, _KINDS, strong=(), check=check, base_rate=base_rate, typical=0.6)


PASSAGE_TYPES = (
    _passage("email_in_text", "E-mail address in text", Category.PII, _holds(_EMAIL), 1e-4),
    _passage("iban_in_text", "Bank account number in text", Category.FINANCIAL, _holds(_IBAN, _valid("iban")), 1e-4),
    _passage(
        "us_ssn_in_text", "US social security number in text", Category.PII, _holds(_DASHED_SSN, _valid("us.ssn")), 1e-3
    ),
    _passage("phone_in_text", "Phone number in text", Category.PII, _holds(_PHONE), 1e-3),
)
