"""What finders hand in: every hypothesis that they tried, of which only those that hold are ever put into words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.insights.findings import Condition, Number, Query


@dataclass(frozen=True, slots=True)
class Told:
    """An insight in words, numbers, a query and a chart."""

    sentence: str
    numbers: dict[str, Number]
    method: str
    query: Query
    chart: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """A hypothesis. `p` None makes it a fact; `strength` is how strong the effect is, `impact` which share of the rows
    it is about, both from 0 to 1. `identity` tells it from others of its type and columns and stays while the fact
    does; trials with one `fact` say the same thing. `tell` is called only for those that hold."""

    type: str
    columns: tuple[str, ...]
    p: float | None
    strength: float
    impact: float
    n: int
    identity: tuple[str, ...]
    fact: tuple[str, ...]
    tell: Callable[[], Told]
    subspace: tuple[Condition, ...] = ()


@dataclass(slots=True)
class Trials:
    """All trials of a request. `failed` counts those whose effect is too small to be told: they count as tested."""

    holding: list[Trial] = field(default_factory=list)
    failed: int = 0

    @property
    def tested(self) -> int:
        return self.failed + sum(trial.p is not None for trial in self.holding)

    def fail(self, number: int = 1) -> None:
        self.failed += number

    def add(self, trial: Trial) -> None:
        """A trial with an effect worth telling."""
        if trial.p is not None and (math.isnan(trial.p) or trial.p >= 0.5):
            self.failed += 1
        else:
            self.holding.append(trial)


def share_of(count: float, whole: float) -> float:
    return min(1.0, max(0.0, count / whole)) if whole > 0 else 0.0


def joined(conditions: Sequence[Condition]) -> tuple[str, ...]:
    return tuple(f"{condition.column}{condition.operator}{condition.value}" for condition in conditions)
