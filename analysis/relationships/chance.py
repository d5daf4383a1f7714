"""Whether values of one column that all occur in another say anything, or would by chance.

Every column of small whole numbers is included in every key that counts from 1: month numbers in customer numbers. So
an inclusion is weighed: by how likely it is among values that have nothing to do with each other, by whether the values
use the whole range of the keys, and by what the names say. Weights are powers of ten of the odds; they are judgement,
not fitted, and are told with every finding.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from analysis.relationships.column_words import is_named_as_key, names_evidence
from analysis.relationships.findings import ColumnName, Evidence, Standing
from analysis.relationships.sketches import ColumnSketch, ValueClass

LIKELY, POSSIBLE = 2.0, 0.5

# Of a hundred pairs of columns where one could include the other, one is a reference.
_PRIOR = -2.0
_MOST_FROM_VALUES = 6.0
_ORDERED = frozenset({ValueClass.WHOLE, ValueClass.DAY, ValueClass.MOMENT})


def weigh(
    child: ColumnSketch, parent: ColumnSketch, share: float, values_share: float, datasets: Collection[str]
) -> tuple[float, tuple[Evidence, ...]]:
    """The score of "`child` refers to `parent`" and its reasons.

    Of the child's rows `share` have a partner, of its different values `values_share`.
    """
    inside = _by_values(child, parent, values_share)
    names = names_evidence(ColumnName(child.dataset, child.column), ColumnName(parent.dataset, parent.column), datasets)
    reasons = [
        inside,
        _range(child, parent) if inside.weight < 2 else None,
        names,
        _missing(share),
        _own_key(child, parent) if names is None or names.weight < 4 else None,
        _unnamed(child) if names is None else None,
    ]
    told = tuple(reason for reason in reasons if reason is not None)
    return round(_PRIOR + sum(reason.weight for reason in told), 2), told


def standing(score: float) -> Standing | None:
    """None where the finding says nothing."""
    if score >= LIKELY:
        return Standing.LIKELY
    return Standing.POSSIBLE if score >= POSSIBLE else None


def _by_values(child: ColumnSketch, parent: ColumnSketch, share: float) -> Evidence:
    """Chernoff's bound on that so many of the values are keys, were they any numbers in the range of the keys."""
    if child.value_class not in _ORDERED:
        weight = round(min(_MOST_FROM_VALUES, child.distinct * share), 2)
        return Evidence(f"{child.distinct} different values of this kind rarely occur elsewhere by chance", weight)
    density = parent.density
    weight = min(_MOST_FROM_VALUES, child.distinct * _surprise(share, density))
    if weight < 1:
        return Evidence(f"the keys fill {density:.0%} of their range: any number in it is one of them", 0.0)
    return Evidence(f"the keys fill only {density:.2g} of their range, and the values hit them", round(weight, 2))


def _surprise(share: float, expected: float) -> float:
    """Powers of ten that each value adds, where a share of hits is above the expected one."""
    if share <= expected:
        return 0.0
    missed = (1 - share) * math.log10((1 - share) / (1 - expected)) if share < 1 else 0.0
    return share * math.log10(share / expected) + missed


def _range(child: ColumnSketch, parent: ColumnSketch) -> Evidence | None:
    """Random picks out of the keys come near to both of their ends; values of another meaning end where they end."""
    bounds = (child.minimum, child.maximum, parent.minimum, parent.maximum)
    if any(bound is None for bound in bounds):
        return None
    least, greatest, first, last = (float(bound) for bound in bounds if bound is not None)
    span = max(last - first, 1.0)
    slack = 3 * span / child.distinct
    covers = (greatest - least) / span
    if child.distinct >= 30 and last - greatest <= slack and least - first <= slack:
        return Evidence("the values go from end to end of the keys", round(min(4.0, math.log10(child.distinct)), 2))
    if covers < 0.5:
        return Evidence(f"the values lie within {covers:.0%} of the range of the keys", -1.0)
    return None


def _missing(share: float) -> Evidence | None:
    return Evidence(f"{1 - share:.2%} have no partner", round(-40 * (1 - share), 2)) if share < 1 else None


def _own_key(child: ColumnSketch, parent: ColumnSketch) -> Evidence | None:
    """Two datasets that both count their rows from 1 have nothing to do with each other."""
    if not child.unique or child.value_class not in _ORDERED or child.density < 0.5 or parent.density < 0.5:
        return None
    return Evidence("it tells the rows of its own dataset apart by counting them", -4.0)


def _unnamed(child: ColumnSketch) -> Evidence | None:
    if child.value_class is ValueClass.TEXT or is_named_as_key(child.column):
        return None
    return Evidence("it is not named as a reference", -1.0)
