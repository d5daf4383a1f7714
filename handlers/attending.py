"""Things that wait for someone to attend to them: each by one task of this process at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from storage.errors import StorageError

logger = logging.getLogger(__name__)


class Attending:
    """`attend` is called with the number of a thing; `waits` says of which number what waits when that went wrong."""

    def __init__(self, attend: Callable[[int], Awaitable[object]], waits: Callable[[int], str]) -> None:
        self._attend = attend
        self._waits = waits
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, number: int) -> bool:
        return number in self._tasks

    def start(self, number: int) -> None:
        self._tasks[number] = asyncio.create_task(self._attend_safely(number))

    async def stop(self) -> None:
        """Cancels what is under way, and waits for its end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _attend_safely(self, number: int) -> None:
        try:
            await self._attend(number)
        except StorageError as error:
            logger.warning("%s: %s", self._waits(number), error)
        except Exception:
            logger.exception("%s", self._waits(number))
        finally:
            del self._tasks[number]
