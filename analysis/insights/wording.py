"""Numbers and names in sentences: rounded to what matters, never NaN, singular and plural as they should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.insights.findings import Condition


def number(value: float, digits: int = 3) -> str:
    """With so many significant digits, whole thousands kept: 0.0123, 12.3, 1,234, 5.6 million."""
    if not math.isfinite(value):
        return "an unknown number"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        return f"{value:.{digits - 1}e}"
    for limit, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        # What rounds to a thousand of something is one of the next.
        if float(f"{size:.{digits - 1}e}") >= limit:
            return f"{_significant(value / limit, digits)} {name}"
    return _significant(value, digits)


def _significant(value: float, digits: int) -> str:
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def coefficient(value: float) -> str:
    """A correlation, never 1 or -1 where it is not: 0.42, 0.998."""
    for digits in (2, 3, 4):
        text = number(value, digits)
        if abs(value) >= 1 or abs(float(text)) < 1:
            return text
    return "over 0.9999" if value > 0 else "under -0.9999"


def percent(share: float) -> str:
    """12 %, 0.3 %; never 0 % of what is there, nor 100 % of what is not all."""
    if share <= 0 or share >= 1:
        return "0 %" if share <= 0 else "100 %" if share == 1 else f"{share * 100:,.0f} %"
    hundred = share * 100
    if hundred < 0.1:
        return "under 0.1 %"
    if hundred > 99.9:
        return "over 99.9 %"
    return f"{hundred:.1f} %" if hundred < 10 or hundred > 99 else f"{hundred:.0f} %"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """1 row, 2 rows, 1,234 rows."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def chance(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def listed(items: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "nothing"


def quoted(name: str) -> str:
    return f"“{shortened(name)}”"


def shortened(text: str, longest: int = 60) -> str:
    """On one line, without halves of surrogate pairs."""
    clean = " ".join(text.encode("utf-8", "replace").decode("utf-8").split()) or text.strip() or "(blank)"
    return clean if len(clean) <= longest else f"{clean[:longest]}…"


def moment(stamp: Any, unit: str = "day") -> str:
    """As precise as the step it is of: 2024, 2024-03, 2024-03-05, 2024-03-05 14:00."""
    stamp = np.datetime64(stamp, "us")
    if np.isnat(stamp):
        return "an unknown time"
    text = str(stamp.astype("datetime64[s]"))
    match unit:
        case "year":
            return text[:4]
        case "month":
            return text[:7]
        case "day" | "week" | "business day":
            return text[:10]
        case _:
            return text[:16].replace("T", " ")


def where(conditions: Sequence[Condition]) -> str:
    """where region is North; nothing for all rows."""
    if not conditions:
        return ""
    return " where " + listed([f"{c.column} is {quoted(str(c.value))}" for c in conditions])
