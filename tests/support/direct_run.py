"""A run whose steps are done at once, without an engine: for what a job does, where it is not about dying half-way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from handlers.jobs import ONCE, Retries, StepFailed, answer_type, as_failure, recordable
from handlers.parts import Parts

T = TypeVar("T")


class DirectRun:
    """The `Run` that a job is given; what steps answer goes through JSON, as it does through the engine's records."""

    def __init__(self, parts: Parts, run_id: str, *, workspace_id: str | None, created_by: str) -> None:
        self.id = run_id
        self.workspace_id = workspace_id
        self.created_by = created_by
        self.parts = parts
        self.folder: Path = parts.runs.folder

    async def step(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        retries: Retries = ONCE,
    ) -> T:
        try:
            answer = recordable(await function(*args), function.__qualname__)
        except Exception as error:
            raise as_failure(error) from error
        return msgspec.convert(answer, answer_type(function))  # type: ignore[no-any-return]

    async def each(
        self,
        function: Callable[..., Awaitable[T]],
        items: Sequence[Any],
        *,
        at_once: int,
        name: str | None = None,
        retries: Retries = ONCE,
    ) -> list[T | StepFailed]:
        outcomes: list[T | StepFailed] = []
        for item in items:
            try:
                outcomes.append(await self.step(function, item))
            except StepFailed as error:
                outcomes.append(error)
        return outcomes

    def tell(self, done: int, total: int | None = None, note: str | None = None) -> None:
        """Nobody watches."""
