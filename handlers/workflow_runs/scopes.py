"""Where a run is: in the graph itself, or in the body of a loop for one of its items."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from handlers.jobs import StepFailed
from handlers.workflow_runs.flow import Flow
from handlers.workflow_runs.outcomes import Outcome

Json = dict[str, Any]


@dataclass(eq=False)
class Scope:
    """The graph itself, or the body of a loop for one item."""

    flow: Flow
    outputs: ChainMap[str, Any]
    names: Json
    suffix: str = ""
    loop: LoopRound | None = None
    # How many of its nodes are under way, loops inside of it included.
    open: int = 0
    failure: StepFailed | None = None

    def place(self, node: str) -> str:
        return node + self.suffix


@dataclass(eq=False)
class LoopRound:
    """A loop that is gone through."""

    scope: Scope
    node: str
    first: Outcome
    items: list[Any]
    results: list[Any] = field(default_factory=list)
    begun: int = 0
    under_way: int = 0
    finished_at: datetime | None = None
