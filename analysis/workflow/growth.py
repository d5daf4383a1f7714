"""What an expression may make of long texts and lists: refused before it is computed where that would take the memory.

The library bounds rounds, depth and the length of an expression, but a text that is put together with itself in each
round of a loop takes gigabytes within all of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from analysis.rules.expressions import MOST_ITEMS, ExpressionFailed

# Characters and items, over all rounds of all loops.
MOST_GROWTH: Final = 100_000_000
# The library gives up after so many rounds.
MOST_ROUNDS: Final = 10_000
# In an expression of a thousand characters.
MOST_WRITTEN_ITEMS: Final = 500


def refuse_growth(values: Iterable[Any], *, loops: int, sums: int) -> None:
    """Raises ExpressionFailed for lists too long to walk through, and for sums of long texts in loops over long lists.

    `loops` is how deep loops stand in each other, `sums` how many `+` an expression has.
    """
    lengths = [_lengths(value) for value in values]
    most = max((max(both) for both in lengths), default=0)
    # Lists too grow by sums, and short ones stand in expressions themselves.
    items = max(MOST_WRITTEN_ITEMS, max((items for _, items in lengths), default=0) * (sums + 1))
    # A sum of three is one of two and one more.
    written = most * sums * (sums + 1) // 2
    rounds = min(items**loops, MOST_ROUNDS)
    if written * rounds > MOST_GROWTH:
        raise ExpressionFailed(
            f"it puts together values of up to {most} characters or items in up to {rounds} rounds, which would take "
            "too much memory: join fewer of them, or shorten them first"
        )


def _lengths(value: Any) -> tuple[int, int]:
    """Of the longest text, and of the longest list or map, in a JSON value."""
    if isinstance(value, str):
        return len(value), 0
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        raise ExpressionFailed(f"a list has {len(value)} items, and an expression sees {MOST_ITEMS} at most")
    if isinstance(value, list | dict):
        within = [_lengths(item) for item in (value.values() if isinstance(value, dict) else value)]
        texts = max((text for text, _ in within), default=0)
        return texts, max(len(value), max((items for _, items in within), default=0))
    return 0, 0
