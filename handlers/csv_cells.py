"""Cells of CSV files that people open in spreadsheets."""

from __future__ import annotations

from typing import Any

# What a spreadsheet would compute. A number may begin with a sign.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: Any) -> Any:
    """A text that a spreadsheet shows as it is, instead of computing it."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
