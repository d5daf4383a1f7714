"""Letting a connection into a document: who is it, may they, where is the room.

One answer for both dialects. Where everything is known already - the token was verified, the role is in memory, the
room is open - the answer comes at once, without a task: a thousand clients that come back together cost no more.
Otherwise a few documents are opened at a time, and who has left before its turn costs nothing any more.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from crdt.room import Room
from handlers.access import Role, allows
from handlers.collaboration.naming import ensure_document
from handlers.parts import Parts
from handlers.registry import Forbidden, NotAuthenticated, NotFound, OperationError, Permission, Principal, Unavailable
from handlers.scopes import EDIT
from server.auth import Authenticator
from server.lockouts import LockedOut
from server.visitors import Visitor
from storage.errors import StorageError

logger = logging.getLogger(__name__)

BAD_REQUEST, UNAUTHORISED, FORBIDDEN, NOT_FOUND, LOCKED, TRY_AGAIN = 4400, 4401, 4403, 4404, 4430, 1013
# A database that restarts or fails over is back within seconds: until then a newcomer waits, and need not come again.
PAUSES_SECONDS = (0.1, 0.3, 1.0, 2.0, 4.0)
# Each takes a connection of the database's pool, of which requests need some, too. One that makes its document stands
# in line for the write lock, as do updates that are to be stored: those must not wait behind every newcomer.
OPENED_AT_ONCE = 6


class Admitted(NamedTuple):
    """A place in a room; to be taken before anything else is awaited."""

    principal: Principal
    workspace_id: str
    role: Role
    room: Room


class Newcomer(NamedTuple):
    """Who wants into which document: with a credential of its own or as somebody `known`, from where, and still?"""

    credential: str | None
    known: Principal | None
    name: str
    visitor: Visitor
    is_there: Callable[[], bool]


class Denied(NamedTuple):
    """Why not, for people, and the code to close a connection with."""

    reason: str
    close_code: int


class Admission:
    """Decides over parts that others own; keeps nothing but the line of those whose document is not open."""

    def __init__(self, parts: Parts, authenticator: Authenticator) -> None:
        self._parts = parts
        self._authenticator = authenticator
        self._turns = asyncio.Semaphore(OPENED_AT_ONCE)

    def at_once(self, newcomer: Newcomer) -> Admitted | None:
        """The answer if it is yes and needs no reading."""
        credential = newcomer.credential
        principal = newcomer.known if credential is None else self._authenticator.peek(credential, newcomer.visitor)
        workspace_id, _, document_name = newcomer.name.partition("/")
        if principal is None:
            return None
        room = self._parts.rooms.live_named(workspace_id, document_name)
        role = self._parts.access.peek_role(principal, workspace_id)
        if room is None or role is None or not allows(role, Permission.READ):
            return None
        if principal.scope is not None:
            # Keys that are not for everything are few, and looked at with all that belongs to it.
            return None
        return Admitted(principal, workspace_id, role, room)

    async def decide(
        self, newcomer: Newcomer, admitted: Callable[[Admitted], None], denied: Callable[[Denied], None]
    ) -> None:
        """Calls one of the two, and the first right after the room was opened; neither for one that left meanwhile."""
        for pause in (*PAUSES_SECONDS, None):
            try:
                answer = await self._answer(newcomer)
            except (StorageError, Unavailable) as error:
                if pause is None:
                    logger.warning("nobody can be let into %r at the moment: %s", newcomer.name, error)
                    denied(Denied("the server cannot open this document at the moment; connect again", TRY_AGAIN))
                    return
                await asyncio.sleep(pause)
                if not newcomer.is_there():
                    return
            except OperationError as error:
                denied(Denied(error.message, close_code(error)))
                return
            else:
                if answer is not None:
                    admitted(answer)
                return

    async def authenticate(self, credential: str | None, known: Principal | None, visitor: Visitor) -> Principal:
        """Raises NotAuthenticated, LockedOut."""
        if credential is None and known is not None:
            return known
        if credential is None:
            raise NotAuthenticated("Sign in first: send a token.")
        try:
            return await self._authenticator.authenticate(credential, visitor)
        except NotAuthenticated as refusal:
            self._parts.audit.refused(
                actor=None,
                action="sockets.sign_in",
                target="",
                code=refusal.noted,
                request_id="",
                address=visitor.address,
                account=refusal.account,
            )
            raise

    async def _answer(self, newcomer: Newcomer) -> Admitted | None:
        """The place; None if nobody is there any more when it is their turn."""
        principal = await self.authenticate(newcomer.credential, newcomer.known, newcomer.visitor)
        workspace_id, slash, document_name = newcomer.name.partition("/")
        if not slash:
            raise NotFound(f"A document's address is workspace/document, not {newcomer.name!r}.")
        access = self._parts.access
        await access.require(principal, Permission.READ, workspace_id, operation=EDIT)
        while True:
            room = self._parts.rooms.live_named(workspace_id, document_name)
            if room is None:
                async with self._turns:
                    if not newcomer.is_there():
                        return None
                    room = await self._open(principal, workspace_id, document_name)
            # Not awaited: between the room and the answer nothing may happen to either of them.
            role = access.peek_role(principal, workspace_id)
            if role is not None:
                return Admitted(principal, workspace_id, role, room)
            # All of it anew: whatever somebody's change made us forget meanwhile, the credential's standing above all.
            await access.require(principal, Permission.READ, workspace_id)

    async def _open(self, principal: Principal, workspace_id: str, name: str) -> Room:
        # Whoever was in line before may have opened it.
        room = self._parts.rooms.live_named(workspace_id, name)
        if room is None:
            document = await ensure_document(self._parts, principal, workspace_id, name)
            room = await self._parts.rooms.open(document)
        return room


def close_code(error: OperationError) -> int:
    """What a connection is closed with for which the error is the end."""
    if isinstance(error, LockedOut):
        return LOCKED
    if isinstance(error, NotAuthenticated):
        return UNAUTHORISED
    if isinstance(error, Forbidden):
        return FORBIDDEN
    if isinstance(error, NotFound):
        return NOT_FOUND
    return BAD_REQUEST if error.status < 500 else TRY_AGAIN
