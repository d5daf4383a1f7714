"""What must come to its end, although whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


async def undisturbed(work: Coroutine[Any, Any, R]) -> R:
    """The work's result, or its error. A caller that is cancelled meanwhile is told when the work is done.

    A connection that is cancelled while it is put back into its pool is reported as an error, and thrown away; one that
    is closed half, twice, leaves a task that waits for ever. Both take milliseconds if they are let.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and (task.cancelled() or task.exception() is None):
        raise cancelled
    return task.result()
