"""Cards, accounts and what people earn."""

from __future__ import annotations

import re

from analysis.columns import Kind
from analysis.sensitive.detectors import DIGITS, TEXTS, Detector, shaped, standard
from analysis.sensitive.findings import Category

# Prefixes and lengths of the large issuers; the Luhn digit alone is right in one of ten numbers, epoch times included.
_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d{2}|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d{2}|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_LUHN = standard("luhn", r"\d{13,19}")


def _begins_like_card(value: str) -> bool:
    return _ISSUER.fullmatch(value.replace(" ", "").replace("-", "")) is not None


def _is_card(value: str) -> bool:
    return _begins_like_card(value) and _LUHN(value.replace(" ", "").replace("-", ""))


_CARD_IN_TEXT = re.compile(r"(?<![\d.-])(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3})(?![\d.-])")


def _holds_card(value: str) -> bool:
    return len(value) > 19 and any(map(_is_card, _CARD_IN_TEXT.findall(value[:10_000])))


FINANCIAL_TYPES = (
    Detector(
        "credit_card",
        "Payment card number",
        Category.FINANCIAL,
        DIGITS,
        strong=(
            "credit card",
            "card number",
            "cc number",
            "debit card",
            "payment card",
            "card pan",
            "primary account number",
        ),
        weak=("card", "cc", "pan"),
        check=shaped(r"\d{13,19}|\d{4}(?:[ -]\d{4}){3}|\d{4}[ -]\d{6}[ -]\d{5}", _is_card),
        base_rate=0.0235,
        among=_begins_like_card,
        rate_among=0.1,
    ),
    Detector(
        "card_security_code",
        "Card security code",
        Category.FINANCIAL,
        DIGITS,
        strong=("cvv", "cvc", "cvv2", "cvc2", "card security code", "security code", "csc"),
        check=shaped(r"\d{3,4}"),
        base_rate=0.5,
        most_evidence=0.5,
        needs_name=True,
    ),
    Detector(
        "iban",
        "International bank account number",
        Category.FINANCIAL,
        TEXTS,
        strong=("iban",),
        weak=("bank account", "account number", "account"),
        check=standard("iban", r"[A-Z]{2}\d{2}[A-Z0-9 ]{11,38}"),
        base_rate=0.011,
    ),
    Detector(
        "bic",
        "Bank identifier code (SWIFT)",
        Category.FINANCIAL,
        TEXTS,
        strong=("bic", "swift", "swift code", "bic code"),
        check=standard("bic", r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?"),
        base_rate=0.3,
        most_evidence=0.7,
        needs_name=True,
    ),
    Detector(
        "us_routing_number",
        "US bank routing number (ABA)",
        Category.FINANCIAL,
        DIGITS,
        strong=("routing number", "aba", "aba number", "routing", "rtn"),
        weak=("bank",),
        check=standard("us.rtn", r"\d{9}"),
        base_rate=0.1,
    ),
    Detector(
        "bank_account_number",
        "Bank account number",
        Category.FINANCIAL,
        DIGITS,
        strong=("bank account", "bank account number", "account number", "kontonummer"),
        check=shaped(r"\d[\d -]{4,18}\d"),
        base_rate=0.5,
        most_evidence=0.3,
        needs_name=True,
    ),
    Detector(
        "eu_vat",
        "European VAT number",
        Category.FINANCIAL,
        TEXTS,
        strong=("vat", "vat number", "vat id", "ust id", "tva"),
        weak=("tax id", "tax number"),
        check=standard(
            "eu.vat",
            r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)[A-Z0-9]{8,12}",
        ),
        base_rate=0.1,
    ),
    Detector(
        "bitcoin_address",
        "Bitcoin address",
        Category.FINANCIAL,
        TEXTS,
        strong=("bitcoin", "btc", "btc address", "wallet address"),
        weak=("wallet",),
        check=standard("bitcoin", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[0-9a-z]{11,71}"),
        base_rate=1e-6,
    ),
    Detector(
        "income",
        "Salary or income",
        Category.FINANCIAL,
        frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT}),
        strong=("salary", "income", "wage", "wages", "base pay", "compensation", "gehalt", "salaire"),
        needs_name=True,
    ),
    Detector(
        "card_in_text",
        "Payment card number in text",
        Category.FINANCIAL,
        frozenset({Kind.TEXT, Kind.JSON}),
        strong=(),
        check=_holds_card,
        base_rate=0.02,
        typical=0.6,
    ),
)
