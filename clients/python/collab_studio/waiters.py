"""Coroutines that wait until a condition holds."""

import asyncio
from collections.abc import Callable

from collab_studio.errors import StudioError

Condition = Callable[[], bool]


class Waiters:
    """A condition returns whether it holds, or raises a StudioError if it never will; `check` evaluates them."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], Condition] = {}

    async def until(self, condition: Condition) -> None:
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = condition
        try:
            await future
        finally:
            del self._waiting[future]

    def check(self) -> None:
        for future, condition in list(self._waiting.items()):
            if future.done():
                continue
            try:
                if condition():
                    future.set_result(None)
            except StudioError as error:
                future.set_exception(error)
