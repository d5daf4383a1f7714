"""Kills whoever is at the database, between any two statements."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection


class Killed(BaseException):
    """The process is gone."""


class Gallows:
    """Kills whoever executes its `left`-th statement or commit from now on, before or after it is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.kills = 0
        for name in ("execute", "scalar", "commit"):
            monkeypatch.setattr(AsyncConnection, name, self._watched(getattr(AsyncConnection, name)))

    def _watched(self, real: Any) -> Any:
        async def watched(connection: AsyncConnection, *arguments: Any, **named: Any) -> Any:
            self._count()
            answer = await real(connection, *arguments, **named)
            self._count()
            return answer

        return watched

    def _count(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                self.kills += 1
                raise Killed
