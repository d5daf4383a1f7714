"""Signing out: here and at the provider by who is signed in, and here when the provider says that it is over there.

OpenID Connect RP-Initiated Logout 1.0 and Back-Channel Logout 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.audit_trail import DONE
from handlers.credentials import fingerprint
from handlers.parts import Parts
from handlers.registry import Forbidden, Principal
from server.openid.addresses import with_parameters
from server.openid.admitting import ACTOR
from server.openid.failures import SignInFailed, unverified
from server.openid.id_tokens import LEEWAY, LONGEST_AGE, check_claims, signed_claims, subject_of
from server.openid.options import OpenIdOptions
from server.openid.provider import Provider
from storage import audit, openid_sessions, sessions, spent_marks

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_SESSION = 320


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    """`logout_url` is where the browser goes to be signed out at the provider as well; None where there is no such."""

    logout_url: str | None


class SignOut:
    """Ends sessions that came of sign-ins at one provider."""

    def __init__(self, options: OpenIdOptions, provider: Provider, parts: Parts, now: Callable[[], datetime]) -> None:
        self._options = options
        self._provider = provider
        self._parts = parts
        self._now = now

    async def of(self, principal: Principal, return_to: str | None) -> SignedOut:
        """Ends the session that the principal's token is of. Raises Forbidden for a credential that is of none."""
        if principal.sid is None or principal.via != "token":
            raise Forbidden("Only the token of a sign-in is signed out.", code="wrong_credential")
        async with self._parts.database.write() as connection:
            session = await sessions.find(connection, principal.sid, at=self._now())
            came_from_there = await openid_sessions.is_one(connection, principal.sid, self._options.issuer)
            if session is not None:
                await self._end(connection, session.user_id, session.id, actor=session.user_id)
        self._parts.access.invalidate(user_id=principal.user_id)
        return SignedOut(logout_url=await self._logout_url(return_to) if came_from_there else None)

    async def _logout_url(self, return_to: str | None) -> str | None:
        try:
            address = (await self._provider.metadata()).end_session_endpoint
        except SignInFailed:
            # Whoever signs out here is signed out, though the provider is away.
            return None
        if address is None:
            return None
        return with_parameters(address, client_id=self._options.client_id, post_logout_redirect_uri=return_to)

    async def told(self, logout_token: str) -> int:
        """How many sessions were ended because a token of the provider says so. Raises SignInFailed."""
        metadata = await self._provider.metadata()
        claims = await signed_claims(logout_token, self._provider, metadata.id_token_signing_alg_values_supported)
        check_claims(claims, issuer=self._options.issuer, client_id=self._options.client_id, now=self._now())
        subject, session = _whose(claims)
        now = self._now()
        async with self._parts.database.write() as connection:
            mark = fingerprint(f"openid logout {self._options.issuer} {claims['jti']}")
            if not await spent_marks.spend(connection, mark, expires_at=now + LONGEST_AGE + 2 * LEEWAY, at=now):
                raise unverified("logout_replayed", "the logout token was used before")
            ended = await openid_sessions.open_of(connection, self._options.issuer, subject, session)
            for each in ended:
                await self._end(connection, each.user_id, each.id, actor=ACTOR)
        for user_id in {each.user_id for each in ended}:
            self._parts.access.invalidate(user_id=user_id)
        return len(ended)

    async def _end(self, connection: AsyncConnection, user_id: str, session_id: int, *, actor: str) -> None:
        now = self._now()
        if await sessions.end(connection, user_id, session_id, at=now) is not None:
            details = {"via": "openid", "user": user_id}
            await audit.append(
                connection,
                actor=actor,
                action="sessions.end",
                target=str(session_id),
                outcome=DONE,
                details=details,
                at=now,
            )


def _whose(claims: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The subject and the session there that a logout token names, one of them at least. Raises SignInFailed."""
    events, session = claims.get("events"), claims.get("sid")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping) or "nonce" in claims:
        raise unverified("no_logout", "the token is no logout token")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise unverified("bad_jti", "the logout token has no id")
    if not isinstance(session, str | None) or len(session or "") > LONGEST_SESSION:
        raise unverified("bad_sid", "the logout token's session is none")
    subject = subject_of(dict(claims)) if "sub" in claims or session is None else None
    return subject, session
