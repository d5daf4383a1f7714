"""Whom a push key lets in: to one source, and read anew each time, so that one that is revoked is so everywhere."""

from __future__ import annotations

from datetime import datetime

from handlers.credentials import fingerprint
from handlers.parts import Parts
from handlers.registry import Forbidden, NotAuthenticated
from handlers.source_access import no_source
from storage import data_sources, push_keys, workspaces
from storage.data_sources import DataSource
from storage.push_keys import PushKey


async def admit(parts: Parts, secret: str, source_id: int, now: datetime) -> tuple[PushKey, DataSource]:
    """The key and its source. Raises NotAuthenticated, Forbidden for another source than the key's, and NotFound."""
    async with parts.database.read() as connection:
        key = await push_keys.find(connection, fingerprint(secret))
        if key is None:
            raise NotAuthenticated("The push key is refused: it is unknown or revoked.", code="invalid_token")
        if key.source_id != source_id:
            raise Forbidden("This push key is for another data source.", code="wrong_source")
        source = await data_sources.get(connection, source_id)
        if source is None or await workspaces.get(connection, source.workspace_id) is None:
            raise no_source(source_id)
    if key.use_is_worth_noting(now):
        async with parts.database.write() as connection:
            await push_keys.note_use(connection, key.id, at=now)
    return key, source
