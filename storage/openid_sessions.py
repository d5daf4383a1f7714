"""Which sessions came of a sign-in at a provider, so that they end when the provider says so."""

from typing import NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.openid_tables import external_identities, openid_sessions
from storage.session_tables import sessions


class OpenSession(NamedTuple):
    """A session that nobody has ended."""

    id: int
    user_id: str


async def create(connection: AsyncConnection, sid: str, identity_id: int, provider_session: str | None) -> None:
    """The session of this `sid` is of the identity, and there of `provider_session`."""
    values = {"sid": sid, "identity_id": identity_id, "provider_session": provider_session}
    await connection.execute(insert(openid_sessions).values(values))


async def is_one(connection: AsyncConnection, sid: str, issuer: str) -> bool:
    """Whether the session came of a sign-in at that issuer."""
    query = (
        select(openid_sessions.c.sid)
        .join(external_identities, external_identities.c.id == openid_sessions.c.identity_id)
        .where(openid_sessions.c.sid == sid, external_identities.c.issuer == issuer)
    )
    return (await connection.execute(query)).first() is not None


async def open_of(
    connection: AsyncConnection, issuer: str, subject: str | None, provider_session: str | None
) -> list[OpenSession]:
    """The sessions that came of the issuer and match what is given of the other two; none where neither is."""
    if subject is None and provider_session is None:
        return []
    query = (
        select(sessions.c.id, sessions.c.user_id)
        .join(openid_sessions, openid_sessions.c.sid == sessions.c.sid)
        .join(external_identities, external_identities.c.id == openid_sessions.c.identity_id)
        .where(external_identities.c.issuer == issuer, sessions.c.ended_at.is_(None))
    )
    if subject is not None:
        query = query.where(external_identities.c.subject == subject)
    if provider_session is not None:
        query = query.where(openid_sessions.c.provider_session == provider_session)
    return [OpenSession(*row) for row in await connection.execute(query.order_by(sessions.c.id))]
