"""What happens to findings is kept as their history and told on their feed, in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.outbox import Outbox
from handlers.security.alerting import tell
from storage import finding_history
from storage.finding_history import NewEntry
from storage.security_findings import Finding


async def note(
    connection: AsyncConnection,
    outbox: Outbox,
    kind: str,
    findings: Sequence[Finding],
    *,
    at: datetime,
    scan_id: int | None = None,
    actor: str | None = None,
    said: str | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """`kind` is what happened to all of them, `said` why; `details` say by the finding's id what is different now."""
    for one in findings:
        tell(outbox, kind, one, scan_id=scan_id, actor=actor)
    await keep(connection, kind, findings, at=at, scan_id=scan_id, actor=actor, said=said, details=details)


async def keep(
    connection: AsyncConnection,
    kind: str,
    findings: Sequence[Finding],
    *,
    at: datetime,
    scan_id: int | None = None,
    actor: str | None = None,
    said: str | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """As `note`, but nobody is told."""
    different = details or {}
    entries = [
        NewEntry(one.id, kind, at, scan_id, actor, said, _json(different[one.id]) if one.id in different else None)
        for one in findings
    ]
    await finding_history.add(connection, entries)


def _json(details: Mapping[str, Any]) -> str:
    return msgspec.json.encode(details).decode()
