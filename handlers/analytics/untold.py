"""Findings that tell values without showing any: of a column that equals another one, or follows from it.

Counts and coefficients over columns that are kept back may be told. Which formula one follows may not, nor that it is
the same as a column that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from analysis.associations.results import AssociationMatrix, Method, Pair, Relation, Status
from analysis.relationships.findings import DuplicateColumns, Relationships
from handlers.analytics.tasks import AnalysisKind

# Between columns of a dataset and of others.
_BETWEEN = {"foreign_keys": ("child", "parent"), "joinable": ("left", "right")}
_WITHIN = ("dependencies", "unique", "duplicate_rows", "duplicate_columns", "derived")
_OF_CATEGORIES = (Method.CRAMERS_V, Method.THEILS_U, Method.MUTUAL_INFORMATION)


def without_values(kind: AnalysisKind, result: Any, dataset: str, names: Collection[str]) -> Any:
    """A result without what tells values of the dataset's columns of these names, as the answer calls them."""
    cut = _CUT.get(kind)
    return result if cut is None or result is None or not names else cut(result, dataset, frozenset(names))


def without_datasets(found: Relationships, closed: Collection[str]) -> Relationships:
    """Relationships without all that is about these datasets."""
    if not closed:
        return found
    kept: dict[str, Any] = {
        part: tuple(each for each in getattr(found, part) if each.dataset not in closed) for part in _WITHIN
    }
    for part, ends in _BETWEEN.items():
        kept[part] = tuple(
            each for each in getattr(found, part) if not any(getattr(each, end).dataset in closed for end in ends)
        )
    seen = tuple(each for each in found.datasets if each.dataset not in closed)
    return replace(found, datasets=seen, **kept)


def _relationships(found: Relationships, dataset: str, names: frozenset[str]) -> Relationships:
    derived = tuple(
        each for each in found.derived if each.dataset != dataset or names.isdisjoint((each.column, *each.sources))
    )
    cut = (_shown_of(each, names) if each.dataset == dataset else each for each in found.duplicate_columns)
    return replace(found, derived=derived, duplicate_columns=tuple(each for each in cut if each is not None))


def _shown_of(found: DuplicateColumns, names: frozenset[str]) -> DuplicateColumns | None:
    columns = tuple(name for name in found.columns if name not in names)
    return replace(found, columns=columns) if len(columns) > 1 else None


def _correlations(matrix: AssociationMatrix, _dataset: str, names: frozenset[str]) -> AssociationMatrix:
    pairs = (_not_identical(pair) if not names.isdisjoint((pair.a, pair.b)) else pair for pair in matrix.pairs)
    return replace(matrix, pairs=tuple(pairs))


def _not_identical(pair: Pair) -> Pair:
    """That they go together stays, as the coefficient tells it."""
    if pair.status is not Status.DUPLICATE:
        return pair
    relation = Relation.ONE_TO_ONE if pair.method in _OF_CATEGORIES else Relation.LINEAR
    return replace(pair, status=Status.DETERMINISTIC, relation=relation)


_CUT: Mapping[AnalysisKind, Callable[[Any, str, frozenset[str]], Any]] = {
    AnalysisKind.RELATIONSHIPS: _relationships,
    AnalysisKind.CORRELATIONS: _correlations,
}
