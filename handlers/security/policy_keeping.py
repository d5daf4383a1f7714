"""The service that judges data policies: after each scan and audit of a source, after each change, and once a day."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from handlers.attention import attention
from handlers.parts import Parts
from handlers.registry import Context
from handlers.security.policy_evaluating import evaluate_source
from storage import data_policies, data_sources, leases
from storage.errors import StorageError
from storage.leases import Lease

logger = logging.getLogger(__name__)

# What no word tells of, as grants in a source and the passing of time.
AGE = timedelta(days=1)
LOOK_SECONDS = 30.0
PAUSE_SECONDS = 1.0
# A source that hangs ends its statements before that.
EVALUATION_SECONDS = 300.0
LEASE_TIME = timedelta(seconds=EVALUATION_SECONDS + 60)
_AT_ONCE = 20


async def evaluate_stale(parts: Parts) -> int:
    """Judges the policies in each source where what they came to is stale. In how many sources that was."""
    now = datetime.now(UTC)
    async with parts.database.read() as connection:
        stale = await data_policies.stale_sources(connection, before=now - AGE, limit=_AT_ONCE)
    return sum([await _evaluate(parts, source_id) for source_id in stale])


async def _evaluate(parts: Parts, source_id: int) -> bool:
    """Whether it was done here: of several nodes one does it, and a source may be gone."""
    lease = await _take(parts, source_id)
    if lease is None:
        return False
    try:
        async with parts.database.read() as connection:
            source = await data_sources.get(connection, source_id)
        if source is None:
            return False
        context = Context(None, parts, f"data-policies-{source_id}", lambda: datetime.now(UTC))
        async with asyncio.timeout(EVALUATION_SECONDS):
            await evaluate_source(context, source)
    except TimeoutError:
        logger.warning("the data policies were not judged in source %s within %s s", source_id, EVALUATION_SECONDS)
        return False
    finally:
        async with parts.database.write() as connection:
            await leases.end(connection, lease)
    return True


async def _take(parts: Parts, source_id: int) -> Lease | None:
    now = datetime.now(UTC)
    async with parts.database.write() as connection:
        name, holder = f"data-policies:{source_id}", parts.bus.node_id
        return await leases.take(connection, name, holder, at=now, until=now + LEASE_TIME)


async def keep_data_policies(parts: Parts) -> None:
    """The service, until it is cancelled."""
    topics = ("scans", "security", "policies", "catalog", "data_sources")
    with attention(parts.changes, *topics) as news:
        while True:
            try:
                await evaluate_stale(parts)
            except StorageError as error:
                logger.warning("data policies cannot be judged, trying again: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)
            await news.wait(LOOK_SECONDS)
