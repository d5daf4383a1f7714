"""What of a dataset somebody may see, cut while it is read. Runs in a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.access_policies.policies import Effect
from analysis.access_policies.row_filters import RowFilters
from analysis.access_policies.views import View
from analysis.columns import Array
from analysis.rules.rows import rows_of
from connectors.datasets import Column, ColumnBatch, ColumnValues, Description

ROWS_KEPT_BACK = "Only rows were looked at that access policies let you see."


def visible_description(description: Description, view: View) -> Description:
    """Without the columns of which nothing may be told."""
    if view.is_open:
        return description
    shown = [column for column in description.columns if view.effect_on(column.name) is not Effect.HIDE]
    return replace(description, columns=tuple(shown))


def masked_columns(description: Description, view: View) -> dict[str, str]:
    """Why, for those whose values may be told by their shape only."""
    return {
        column.name: view.why(column.name)
        for column in description.columns
        if view.effect_on(column.name) is Effect.MASK
    }


class VisibleRows:
    """Batches of a dataset without the rows that are kept back."""

    def __init__(self, view: View, description: Description, text_limit: int) -> None:
        names = [column.name for column in description.columns]
        self._filters = RowFilters(view, names, text_limit=text_limit) if view.rows else None

    def needed(self, columns: Sequence[Column]) -> list[str]:
        """The names of these columns, and of those by which rows are told apart."""
        judged = self._filters.columns if self._filters is not None else ()
        return list(dict.fromkeys([*(column.name for column in columns), *judged]))

    def cut(self, batch: ColumnBatch) -> ColumnBatch:
        if self._filters is None:
            return batch
        judged = {name: _with_nulls(batch.columns[name]) for name in self._filters.columns}
        shown = self._filters.shown(rows_of(judged, None if judged else range(batch.rows)))
        columns = {name: _of_rows(stretch, shown) for name, stretch in batch.columns.items()}
        return replace(batch, columns=columns, rows=int(np.count_nonzero(shown)))


def _with_nulls(stretch: ColumnValues) -> Array:
    return stretch.values if stretch.nulls is None else np.ma.array(stretch.values, mask=stretch.nulls)


def _of_rows(stretch: ColumnValues, shown: Array) -> ColumnValues:
    nulls = None if stretch.nulls is None else stretch.nulls[shown]
    return replace(stretch, values=stretch.values[shown], nulls=nulls)
