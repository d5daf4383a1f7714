"""Some values of each column, from all of a dataset, for what cannot look at every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.columns import Array, Column

# A classification looks at a thousand different values; equal ones are many in most columns.
OF_A_BATCH = 2_000
MOST_PIECES = 10


@dataclass(slots=True)
class _Pieces:
    column: Column
    rows: int = 0
    nulls: int = 0
    batches: int = 0
    pieces: list[Array] = field(default_factory=list)


class Samples:
    """The same of the same batches: chance has a seed."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = np.random.default_rng(seed)
        self._columns: dict[str, _Pieces] = {}

    def add(self, columns: Sequence[Column]) -> None:
        for column in columns:
            kept = self._columns.setdefault(column.name, _Pieces(column))
            kept.rows += column.rows
            kept.nulls += column.nulls
            kept.batches += 1
            kept.column = column
            self._keep(kept, column.values)

    def columns(self) -> list[Column]:
        """The columns, with their sampled values and the numbers of all their rows and nulls."""
        return [
            replace(kept.column, values=np.concatenate(kept.pieces), rows=kept.rows, nulls=kept.nulls)
            for kept in self._columns.values()
            if kept.pieces
        ]

    def _keep(self, kept: _Pieces, values: Array) -> None:
        """Each batch has the same chance to stay (reservoir sampling of batches)."""
        if len(kept.pieces) < MOST_PIECES:
            kept.pieces.append(self._some(values))
        elif (place := int(self._chance.integers(kept.batches))) < MOST_PIECES:
            kept.pieces[place] = self._some(values)

    def _some(self, values: Array) -> Array:
        if len(values) <= OF_A_BATCH:
            return values.copy()
        return values[self._chance.choice(len(values), OF_A_BATCH, replace=False)]
