"""What there is to say of sources that count nothing: files are read by whoever likes, and none of it is noted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from connectors.performance.figures import (
    Blocking,
    IndexAdvices,
    StatementPlan,
    StatementSnapshot,
    StatementText,
    Unsupported,
)


class Uncounted:
    """The questions of a PerformanceReader that a file has no answer to. `product` begins the sentences."""

    def __init__(self, product: str, clock: Callable[[], float] = time.time) -> None:
        self._product = product
        self._clock = clock

    async def statements(self) -> StatementSnapshot | Unsupported:
        return self._none("statements", "no record of the statements that are executed")

    async def statement_texts(self, keys: Sequence[str]) -> dict[str, StatementText]:  # noqa: ARG002 - there are none
        return {}

    async def plan(self, key: str) -> StatementPlan | Unsupported:  # noqa: ARG002 - there are none
        return self._none("plan", "no record of the statements that are executed")

    async def blocking(self) -> Blocking:
        return Blocking(self._at_ms(), (), (self._none("blocking", "no record of who waits for whom"),))

    async def index_advice(self) -> IndexAdvices:
        return IndexAdvices(self._at_ms(), None, (), (self._none("index advice", "no indexes that it tells of"),))

    def _none(self, what: str, lack: str) -> Unsupported:
        return Unsupported(what, f"{self._product} keeps {lack}.")

    def _at_ms(self) -> int:
        return int(self._clock() * 1000)
