"""What only one node does at a time with alerts, and how a former one is kept from writing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.outbox import Outbox
from handlers.parts import Parts
from storage import leases
from storage.leases import Lease

LEASE_NAME = "alert-keeping"
# Several times what one transaction takes; a node that died is taken over from after this.
LEASE = timedelta(seconds=10)


class HoldLost(Exception):
    """Another node has the lease: what was to be written is not."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The lease of this node, kept with each transaction."""

    lease: Lease
    now: Callable[[], datetime]

    @contextlib.asynccontextmanager
    async def writing(self, parts: Parts) -> AsyncIterator[tuple[AsyncConnection, Outbox]]:
        """A transaction and its outbox. Raises HoldLost at its beginning."""
        async with parts.feeds.writing() as (connection, outbox):
            if not await leases.keep(connection, self.lease, until=self.now() + LEASE):
                raise HoldLost
            yield connection, outbox


@contextlib.asynccontextmanager
async def holding(parts: Parts, holder: str, now: Callable[[], datetime]) -> AsyncIterator[Hold]:
    """The lease while the block runs. Raises HoldLost where another node has it."""
    async with parts.database.write() as connection:
        at = now()
        lease = await leases.take(connection, LEASE_NAME, holder, at=at, until=at + LEASE)
    if lease is None:
        raise HoldLost
    try:
        yield Hold(lease, now)
    finally:
        async with parts.database.write() as connection:
            await leases.end(connection, lease)
