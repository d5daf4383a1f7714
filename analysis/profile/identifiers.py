"""Whether a column of unique values looks like an identifier, and why."""

from __future__ import annotations

import re

from analysis.profile.figures import NumberFigures, TextFigures
from analysis.profile.told import Told

# Words of a name, at its end, that people give to identifiers.
_NAMED = re.compile(r"(?:^|[_\W]|(?<=[a-z]))(id|Id|ID|uuid|guid|key|pk|code|number|no|nr|oid|rowid)$")

# A longer text is no identifier, however unique.
_LONGEST = 64


def identifier_reason(name: str, count: int, told: Told) -> str | None:
    """Of a column whose values are all there and all different."""
    if count < 2:
        return None
    if isinstance(told.section, TextFigures):
        reason = _of_texts(told.section, count)
    elif isinstance(told.section, NumberFigures):
        reason = _of_numbers(told.section, count)
    else:
        return None
    if reason is None and _NAMED.search(name):
        reason = "named as an identifier"
    return reason and f"unique, never null, {reason}"


def _of_texts(text: TextFigures, count: int) -> str | None:
    if text.types.get("uuid") == count:
        return "all UUIDs"
    if text.formats and text.formats[0].count == count and text.lengths and text.lengths.max <= _LONGEST:
        return f"all of the format {text.formats[0].value}"
    return None


def _of_numbers(numbers: NumberFigures, count: int) -> str | None:
    if not numbers.whole or numbers.order is None or numbers.min is None or numbers.max is None:
        return None
    if numbers.order.strictly_increasing or numbers.order.strictly_decreasing:
        return "whole numbers that rise or fall with the rows"
    if int(numbers.max) - int(numbers.min) < 2 * count:
        return "whole numbers with few gaps"
    return None
