"""Values of any driver as plain ones: None, bool, int, float, str."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

# What a person reads of a cell, and more.
LONGEST_TEXT = 10_000


def plain(value: Any) -> Any:
    """The value as JSON has it; what JSON has not becomes text. Long texts are cut."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value[:LONGEST_TEXT]
        case Decimal():
            return _of_decimal(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value[: LONGEST_TEXT // 2]).hex()
        case list() | tuple() | dict() | set():
            return json.dumps(list(value) if isinstance(value, set) else value, default=str)[:LONGEST_TEXT]
        case _:
            return str(value)[:LONGEST_TEXT]


def plain_rows(rows: Iterable[Iterable[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(plain(value) for value in row) for row in rows]


def _of_decimal(value: Decimal) -> Any:
    if value.is_finite() and value == value.to_integral_value() and abs(value.adjusted()) < 40:
        return int(value)
    return float(value)
