"""Which pairs to compute where there are more than anybody wants to wait for: the strongest of a look at few rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.associations.columns import Categories, Numbers, Prepared
from analysis.associations.results import Method
from analysis.columns import Array

MOST_COLUMNS = 20_000  # looked at; their look takes seconds and a hundred megabytes
MOST_FEATURES = 24_000
LOOK_ROWS = 512
LEVELS_LOOKED_AT = 3
_TILE = 1_024  # columns

NUMERIC_METHODS = frozenset({Method.PEARSON, Method.SPEARMAN, Method.KENDALL, Method.XI})
CATEGORY_METHODS = frozenset({Method.CRAMERS_V, Method.THEILS_U})


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Indices of pairs, a < b; how many there are altogether; and the rule they were chosen by, None for all."""

    a: Array
    b: Array
    possible: int
    rule: str | None


def applies(method: Method, numeric_a: Array, numeric_b: Array) -> Array:
    """Whether a method can measure pairs of columns that are numbers or else categories."""
    if method in NUMERIC_METHODS:
        return np.asarray(numeric_a & numeric_b)
    if method in CATEGORY_METHODS:
        return np.asarray(~numeric_a & ~numeric_b)
    if method is Method.CORRELATION_RATIO:
        return np.asarray(numeric_a ^ numeric_b)
    return np.ones(np.broadcast_shapes(numeric_a.shape, numeric_b.shape), dtype=np.bool_)


def selected(
    columns: Sequence[Prepared], method: Method, most: int, random: np.random.Generator, check: Callable[[], None]
) -> Selection:
    """All pairs that the method applies to if there are no more than `most`, and else the strongest of a look."""
    numeric = np.array([isinstance(column, Numbers) for column in columns], dtype=np.bool_)
    possible = _possible(numeric, method)
    if possible <= most:
        a, b = np.triu_indices(len(columns), 1)
        fits = applies(method, numeric[a], numeric[b])
        return Selection(a[fits], b[fits], possible, None)
    looked_at = _most_complete(columns)
    features, starts, levels = _features([columns[place] for place in looked_at], random, check)
    a, b = _strongest(features, starts, numeric[looked_at], method, most, check)
    rule = (
        f"the {len(a):,} pairs with the strongest rank correlation in {features.shape[1]:,} rows chosen by chance; "
        f"categories by whether a row has one of their {levels} most frequent levels"
    )
    if len(looked_at) < len(columns):
        rule += f"; of the {len(looked_at):,} columns with the most values"
    return Selection(looked_at[a], looked_at[b], possible, rule)


def _possible(numeric: Array, method: Method) -> int:
    numbers, categories = int(numeric.sum()), int((~numeric).sum())
    of_numbers, of_categories = numbers * (numbers - 1) // 2, categories * (categories - 1) // 2
    if method in NUMERIC_METHODS:
        return of_numbers
    if method in CATEGORY_METHODS:
        return of_categories
    mixed = numbers * categories
    return mixed if method is Method.CORRELATION_RATIO else of_numbers + of_categories + mixed


def _most_complete(columns: Sequence[Prepared]) -> Array:
    present = np.array([column.told.rows_with_value for column in columns])
    return np.sort(np.argsort(-present, kind="stable")[:MOST_COLUMNS])


def _features(
    columns: Sequence[Prepared], random: np.random.Generator, check: Callable[[], None]
) -> tuple[Array, Array, int]:
    """float32 (features, rows), each of mean 0 and length 1; the first feature of each column; features a category."""
    categories = sum(isinstance(column, Categories) for column in columns)
    room = MOST_FEATURES - (len(columns) - categories)
    levels = max(1, min(LEVELS_LOOKED_AT, room // max(categories, 1)))
    rows = len(columns[0].values if isinstance(columns[0], Numbers) else columns[0].codes)
    picked = np.sort(random.choice(rows, min(rows, LOOK_ROWS), replace=False))
    features: list[Array] = []
    starts = np.empty(len(columns), dtype=np.intp)
    for place, column in enumerate(columns):
        if place % 256 == 0:
            check()
        starts[place] = len(features)
        if isinstance(column, Numbers):
            features.append(_of_numbers(column.values[picked]))
        else:
            codes = column.codes[picked]
            features += [_unit(np.where(codes > 0, codes == level, np.nan)) for level in range(1, levels + 1)]
    return np.array(features, dtype=np.float32), starts, levels


def _of_numbers(values: Array) -> Array:
    """Ranks; ties in the order of the rows, which is fair enough for a look."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values)] = np.arange(len(values))
    ranks[np.isnan(values)] = np.nan
    return _unit(ranks)


def _unit(values: Array) -> Array:
    there = ~np.isnan(values)
    if not there.any():
        return np.zeros(len(values))
    centred = np.where(there, values - values[there].mean(), 0.0)
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length) if length > 0 else centred


def _strongest(
    features: Array, starts: Array, numeric: Array, method: Method, most: int, check: Callable[[], None]
) -> tuple[Array, Array]:
    """The pairs of columns of which two features go together most, tile by tile."""
    count = len(starts)
    ends = np.append(starts[1:], len(features))
    best = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
    threshold = np.float32(-1)
    for top in range(0, count, _TILE):
        for left in range(top, count, _TILE):
            check()
            rows, columns = slice(top, min(top + _TILE, count)), slice(left, min(left + _TILE, count))
            scores = features[starts[rows][0] : ends[rows][-1]] @ features[starts[columns][0] : ends[columns][-1]].T
            scores = np.abs(scores, out=scores)
            scores = np.maximum.reduceat(scores, starts[rows] - starts[rows][0], axis=0)
            scores = np.maximum.reduceat(scores, starts[columns] - starts[columns][0], axis=1)
            fits = applies(method, numeric[rows, None], numeric[None, columns])
            wanted = fits & (scores > threshold)
            if left == top:
                wanted &= np.triu(np.ones(scores.shape, dtype=np.bool_), 1)
            row, column = np.nonzero(wanted)
            best = (
                np.concatenate([best[0], scores[row, column]]),
                np.concatenate([best[1], (row + top) * count + (column + left)]),
            )
            if len(best[0]) > most:
                kept = np.argpartition(-best[0], most - 1)[:most]
                best = best[0][kept], best[1][kept]
                threshold = best[0].min()
    pairs = np.sort(best[1])
    return pairs // count, pairs % count
