"""The alerts that come of the audit trail, as those who administer the server see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.detections.following import follow
from handlers.parts import Parts
from storage import detections


class Told(NamedTuple):
    """A detection, whom it is about, its sentence, and what the events behind it are about."""

    detection: str
    entity: str
    explanation: str
    about: list[str]


async def looked(parts: Parts, now: Callable[[], datetime]) -> list[Told]:
    """Writes what waits in the node, looks at it, and says what is open about the whole server."""
    await parts.audit.flush()
    await follow(parts, now)
    async with parts.database.read() as connection:
        return await _open(connection)


async def _open(connection: AsyncConnection) -> list[Told]:
    found = []
    for alert, _ in await detections.open_alerts(connection, detections.SERVER):
        body = msgspec.json.decode(await detections.evidence_of(connection, alert.id) or "{}")
        about = [each["about"] for each in body["events"]]
        found.append(Told(alert.name[:5], body["entity"], body["explanation"], about))
    return sorted(found)
