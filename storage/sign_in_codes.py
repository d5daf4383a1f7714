"""Codes that a sign-in ends with, exchanged once for a token. Only their SHA-256 hashes are here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.openid_tables import sign_in_codes


@dataclass(frozen=True, slots=True)
class SignInCode:
    """What a code is for: whose sign-in, and what its verifier must hash to."""

    identity_id: int
    challenge: str
    provider_session: str | None


async def create(connection: AsyncConnection, fingerprint: bytes, code: SignInCode, *, expires_at: datetime) -> None:
    """A new code; `fingerprint` is its SHA-256."""
    values = {
        "hash": fingerprint,
        "identity_id": code.identity_id,
        "challenge": code.challenge,
        "provider_session": code.provider_session,
        "expires_at": expires_at,
    }
    await connection.execute(insert(sign_in_codes).values(values))


async def consume(connection: AsyncConnection, fingerprint: bytes, *, at: datetime) -> SignInCode | None:
    """What the code is for, for the first who asks before it expires; None for all others."""
    found = (sign_in_codes.c.hash == fingerprint) & (sign_in_codes.c.expires_at > at)
    columns = (sign_in_codes.c.identity_id, sign_in_codes.c.challenge, sign_in_codes.c.provider_session)
    row = (await connection.execute(delete(sign_in_codes).where(found).returning(*columns))).first()
    return SignInCode(*row) if row else None


async def purge_expired(connection: AsyncConnection, *, at: datetime) -> None:
    """Forgets the codes that nobody came with in time."""
    await connection.execute(delete(sign_in_codes).where(sign_in_codes.c.expires_at <= at))
