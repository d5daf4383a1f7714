"""What can be asked of a search for insights."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from analysis.profile.figures import TableProfile


@dataclass(frozen=True, slots=True)
class InsightOptions:
    """`level` is the false discovery rate. `types` limits the search to these types (empty: all). `time` names the time
    column (None: the best one). `table` and `dialect` are for the SQL of the rows behind an insight. `reference` is an
    earlier profile, `reference_label` how sentences call it. `now` makes dates beyond it suspicious. `limit` is how
    many insights are told, `seconds` after how many the search stops with what it has, `clock` tells them.
    """

    level: float = 0.05
    limit: int = 50
    types: frozenset[str] = frozenset()
    time: str | None = None
    table: tuple[str, ...] = ("data",)
    dialect: str = ""
    reference: TableProfile | None = None
    reference_label: str = "the earlier profile"
    now: datetime.datetime | None = None
    subspaces: bool = True
    seconds: float = 20.0
    seed: int = 0
    clock: Callable[[], float] = monotonic

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise ValueError(f"the level is a rate between 0 and 1, not {self.level!r}")
        if self.limit < 1:
            raise ValueError(f"at least one insight has to be asked for, not {self.limit!r}")
