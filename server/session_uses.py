"""Notes of when and from where sessions were last used: coarse, because each is a commit."""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import datetime, timedelta

from server.visitors import Visitor
from storage import sessions
from storage.database import Database
from storage.errors import StorageError
from storage.sessions import Session

logger = logging.getLogger(__name__)

# Nobody needs to know the last use to the second; another place is told of sooner.
NOTED_EVERY = timedelta(minutes=10)
ANOTHER_PLACE_NOTED_EVERY = timedelta(minutes=1)
REMEMBERED = 10_000


class SessionUses:
    """One a node: of a thousand sockets with one token, one is noted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # When each session was last noted here: rows are read a moment before others have written them.
        self._noted: OrderedDict[str, datetime] = OrderedDict()

    async def note(self, session: Session, visitor: Visitor, now: datetime) -> None:
        """The session is used at this moment. A database that cannot be written to is no reason to refuse anybody."""
        if not self._is_due(session, visitor, now):
            return
        self._noted[session.sid] = now
        self._noted.move_to_end(session.sid)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        try:
            async with self._database.write() as connection:
                await sessions.note_use(
                    connection, session.sid, at=now, address=visitor.address, user_agent=visitor.user_agent
                )
        except StorageError as error:
            logger.warning("the use of a session could not be noted: %s", error)

    def _is_due(self, session: Session, visitor: Visitor, now: datetime) -> bool:
        is_elsewhere = visitor.address is not None and visitor != (session.address, session.user_agent)
        pause = ANOTHER_PLACE_NOTED_EVERY if is_elsewhere else NOTED_EVERY
        seen = max(filter(None, (session.last_seen_at, self._noted.get(session.sid))), default=None)
        return seen is None or seen <= now - pause
