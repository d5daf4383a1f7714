"""Who is it? Signed tokens, API keys and single-use tickets become a `Principal`, or the reason why not.

What was verified is remembered by the credential's hash until it ends, so that a thousand sockets with one token cost
one signature. Whether its user may still come in, and whether an API key still stands, is read again every two seconds
at most, and at once when this node hears of a change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from handlers import scopes
from handlers.access import Access, Change, session_ended
from handlers.audit_trail import KEY_EXPIRED, KEY_REVOKED
from handlers.credentials import API_KEY_PREFIX, TICKET_PREFIX, fingerprint
from handlers.registry import NotAuthenticated, Principal
from handlers.scopes import Scope
from handlers.shared_cache import SharedCache
from server.lockouts import Lockouts
from server.session_uses import SessionUses
from server.tokens import Issuer, Issuers, ServerIssuer
from server.visitors import NOBODY, Visitor
from storage import api_keys, sessions, tickets, users
from storage.api_keys import ApiKey
from storage.database import Database
from storage.sessions import Session
from storage.users import User

# What another process or node changed takes effect within this, as promised for memberships.
STANDING_HOLDS = timedelta(seconds=2)
# An entry is some 500 bytes: all the people of a large installation in a few MB.
REMEMBERED = 10_000
# A ticket does not tell how long its owner's token would have held, so a connection opened with one is let live as
# long as a token by default does.
TICKET_SESSION = timedelta(days=1)
# Nobody needs to know the last use of a key to the second, and each note is a commit.
USE_NOTED_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a credential that held says: whose it is, of what kind, until when, and what has to stand for it to hold."""

    user_id: str
    via: str
    expires_at: datetime | None
    scope: Scope | None = None
    sid: str | None = None
    key_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    """A credential that held, and when its user's standing was last looked at."""

    claim: _Claim
    principal: Principal
    looked_at: datetime


def scope_of(key: ApiKey) -> Scope | None:
    """What the key is for. Raises NotAuthenticated where that cannot be read: it may be for less than everything."""
    try:
        return scopes.decode(key.scope)
    except msgspec.DecodeError:
        raise NotAuthenticated("The API key is refused: its scope cannot be read.", code="invalid_token") from None


class Authenticator:
    """Turns credentials into principals. One a node."""

    def __init__(
        self,
        database: Database,
        access: Access,
        signing_secret: str,
        now: Callable[[], datetime],
        lockouts: Lockouts,
        *,
        issuers: Sequence[Issuer] = (),
    ) -> None:
        self._database = database
        self._issuers = Issuers([ServerIssuer(signing_secret, now), *issuers])
        self._now = now
        self.lockouts = lockouts
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        # These keep nothing: they make callers who ask at the same moment share one reading.
        self._users = SharedCache(self._read_user, max_age=0, max_entries=1)
        self._keys = SharedCache(self._read_key, max_age=0, max_entries=1)
        self._sessions = SharedCache(self._read_session, max_age=0, max_entries=1)
        self._session_uses = SessionUses(database)
        self._changes = 0
        access.on_change(self._changed)

    def peek(self, credential: str, visitor: Visitor = NOBODY) -> Principal | None:
        """The principal, if the credential was verified before and nothing needs to be read; None says nothing."""
        mark = fingerprint(credential)
        principal = self._peek(mark)
        if principal is None or self.lockouts.wait(visitor.address, mark):
            return None
        self.lockouts.let_in(visitor.address, mark)
        return principal

    def _peek(self, mark: bytes) -> Principal | None:
        known = self._verified.get(mark)
        if known is None or not known.looked_at <= self._now() < known.looked_at + STANDING_HOLDS:
            return None
        if self._ended(known.claim.expires_at):
            return None
        return known.principal

    async def authenticate(self, credential: str, visitor: Visitor = NOBODY) -> Principal:
        """The principal of a token, API key or ticket (which is used up).

        Raises NotAuthenticated with the reason, and LockedOut where too many wrong ones came from.
        """
        if (principal := self.peek(credential, visitor)) is not None:
            return principal
        with self.lockouts.guarding(visitor.address, credential):
            return await self._looked_at(credential, visitor)

    async def _looked_at(self, credential: str, visitor: Visitor) -> Principal:
        if credential.startswith(TICKET_PREFIX):
            return await self._redeem(credential, visitor)
        while True:
            changes, looked_at = self._changes, self._now()
            verified = await self._verify(credential, looked_at, visitor)
            # Whoever was deactivated while we read is read again.
            if changes == self._changes:
                self._remember(fingerprint(credential), verified)
                return verified.principal

    async def authenticate_headers(self, headers: Mapping[str, str], visitor: Visitor = NOBODY) -> Principal | None:
        """The principal of an `Authorization: Bearer` header (names in lower case), None where there is none."""
        value = headers.get("authorization")
        if value is None:
            return None
        scheme, _, credential = value.partition(" ")
        if scheme.lower() != "bearer" or not credential.strip():
            raise NotAuthenticated("Send the header as 'Authorization: Bearer TOKEN'.", code="invalid_token")
        return await self.authenticate(credential.strip(), visitor)

    async def _verify(self, credential: str, looked_at: datetime, visitor: Visitor) -> _Verified:
        mark = fingerprint(credential)
        if credential.startswith(API_KEY_PREFIX):
            key = await self._live_key(mark)
            claim = _Claim(key.user_id, "api_key", key.expires_at, scope_of(key), key_hash=mark)
            return await self._admit(claim, looked_at, visitor)
        known = self._verified.get(mark)
        if known is not None and not self._ended(known.claim.expires_at):
            return await self._admit(known.claim, looked_at, visitor)
        self._verified.pop(mark, None)
        identity = await self._issuers.verify(credential)
        claim = _Claim(identity.user_id, "token", identity.expires_at, sid=identity.sid)
        return await self._admit(claim, looked_at, visitor)

    async def _admit(self, claim: _Claim, looked_at: datetime, visitor: Visitor) -> _Verified:
        user = await self._users.get(claim.user_id)
        if user is None:
            message = f"There is no user {claim.user_id!r} here."
            raise NotAuthenticated(message, code="unknown_user", account=claim.user_id)
        if not user.is_active:
            raise NotAuthenticated("This user is deactivated.", code="deactivated", account=claim.user_id)
        if claim.sid is not None:
            session = await self._sessions.get(claim.sid)
            if session is None or session.user_id != claim.user_id:
                raise session_ended(claim.user_id)
            await self._session_uses.note(session, visitor, looked_at)
        is_admin = user.is_admin and claim.scope is None
        principal = Principal(
            claim.user_id, is_admin, claim.via, claim.expires_at, claim.scope, claim.sid, claim.key_hash
        )
        return _Verified(claim, principal, looked_at)

    async def _live_key(self, mark: bytes) -> ApiKey:
        key = await self._keys.get(mark)
        if key is None:
            raise await self._no_key(mark)
        now = self._now()
        if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
            async with self._database.write() as connection:
                await api_keys.note_use(connection, key.id, at=now)
        return key

    async def _no_key(self, mark: bytes) -> NotAuthenticated:
        """Strangers are not told whether there ever was such a key; the audit trail is."""
        async with self._database.read() as connection:
            ended = await api_keys.find_ended(connection, mark)
        noted = account = None
        if ended is not None:
            noted, account = KEY_REVOKED if ended.revoked_at else KEY_EXPIRED, ended.user_id
        message = "The API key is refused: it is unknown, revoked or expired."
        return NotAuthenticated(message, code="invalid_token", noted=noted, account=account)

    async def _redeem(self, ticket: str, visitor: Visitor) -> Principal:
        now = self._now()
        async with self._database.write() as connection:
            bearer = await tickets.consume(connection, fingerprint(ticket), at=now)
        if bearer is None:
            raise NotAuthenticated("The ticket is refused: it is unknown, used or expired.", code="invalid_token")
        ends, scope = now + TICKET_SESSION, None
        if bearer.key_hash is not None:
            key = await self._live_key(bearer.key_hash)
            ends, scope = min(ends, key.expires_at or ends), scope_of(key)
        claim = _Claim(bearer.user_id, "ticket", ends, scope, bearer.sid, bearer.key_hash)
        return (await self._admit(claim, now, visitor)).principal

    def _remember(self, mark: bytes, verified: _Verified) -> None:
        self._verified[mark] = verified
        self._verified.move_to_end(mark)
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)

    def _changed(self, change: Change) -> None:
        """What was read about a user before counts no more. Roles in workspaces are not our business."""
        if change.workspace_id is not None:
            return
        self._changes += 1
        self._users.drop(lambda user_id: change.user_id in (None, user_id))
        self._keys.drop(lambda _: True)
        self._sessions.drop(lambda _: True)
        for mark, known in list(self._verified.items()):
            if change.user_id in (None, known.claim.user_id):
                del self._verified[mark]

    def _ended(self, expires_at: datetime | None) -> bool:
        return expires_at is not None and expires_at <= self._now()

    async def _read_user(self, user_id: str) -> User | None:
        async with self._database.read() as connection:
            return await users.get(connection, user_id)

    async def _read_session(self, sid: str) -> Session | None:
        async with self._database.read() as connection:
            return await sessions.find(connection, sid, at=self._now())

    async def _read_key(self, mark: bytes) -> ApiKey | None:
        async with self._database.read() as connection:
            return await api_keys.find(connection, mark, at=self._now())
