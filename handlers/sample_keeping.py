"""Samples are sealed, rolled up and forgotten by one node of all; when that node goes, another goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from handlers.parts import Parts
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# Well below the time of the lease, which is kept between two looks.
LOOK_SECONDS = 5.0
# Windows of all series are over at the same moment; rolling them up takes half of a core at most, and not all of it.
REST = 1.0


async def keep_samples(parts: Parts) -> None:
    """The service: works until it is cancelled."""
    maintenance = parts.samples.maintenance(parts.bus.node_id, REST)
    try:
        while True:
            try:
                await maintenance.work()
            except StorageError as error:
                logger.warning("samples cannot be sealed, trying again: %s", error)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        # Without it the others wait until the lease ends by itself.
        with contextlib.suppress(StorageError):
            await maintenance.close()
