"""Whom a push key lets in: to one source. What was read of a key is remembered for a second at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers.access import Access, Change
from handlers.credentials import fingerprint
from handlers.registry import Forbidden, NotAuthenticated
from handlers.shared_cache import SharedCache
from handlers.source_access import no_source
from handlers.standing import PUSH_KEYS
from storage import data_sources, push_keys, workspaces
from storage.data_sources import DataSource
from storage.database import Database
from storage.push_keys import PushKey

# That a key was revoked is heard of within milliseconds; this is for when nothing is heard.
HOLDS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A key that holds, and its source, unless that is gone."""

    key: PushKey
    source: DataSource | None


class Admissions:
    """Reads keys once for all requests of a second. One a node; a key that is revoked on any node is forgotten."""

    def __init__(self, database: Database, access: Access, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._found = SharedCache(self._read, max_age=HOLDS_SECONDS, clock=lambda: now().timestamp())
        access.on_change(self._changed)

    async def admit(self, secret: str, source_id: int) -> tuple[PushKey, DataSource]:
        """The key and its source. Raises NotAuthenticated, Forbidden for the key of another source, and NotFound."""
        mark = fingerprint(secret)
        found = await self._found.get(mark)
        if found is None:
            raise NotAuthenticated("The push key is refused: it is unknown or revoked.", code="invalid_token")
        if found.key.source_id != source_id:
            raise Forbidden("This push key is for another data source.", code="wrong_source")
        if found.source is None:
            raise no_source(source_id)
        await self._note_use(mark, found.key)
        return found.key, found.source

    async def _note_use(self, mark: bytes, key: PushKey) -> None:
        now = self._now()
        if key.use_is_worth_noting(now):
            async with self._database.write() as connection:
                await push_keys.note_use(connection, key.id, at=now)
            self._found.drop(lambda known: known == mark)

    async def _read(self, mark: bytes) -> _Found | None:
        async with self._database.read() as connection:
            key = await push_keys.find(connection, mark)
            if key is None:
                return None
            source = await data_sources.get(connection, key.source_id)
            if source is not None and await workspaces.get(connection, source.workspace_id) is None:
                source = None
        return _Found(key, source)

    def _changed(self, change: Change) -> None:
        """Keys were revoked, or a workspace is gone. Who is a member of it is not our business."""
        if change.user_id in (None, PUSH_KEYS):
            self._found.drop(lambda _: True)
