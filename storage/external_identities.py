"""Who users are to a provider of sign-ins. An identity is an issuer and a subject there, and is never another's."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.openid_tables import external_identities
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """A row of external_identities."""

    id: int
    issuer: str
    subject: str
    user_id: str
    is_admin_by_groups: bool
    created_at: datetime
    signed_in_at: datetime | None


async def create(
    connection: AsyncConnection, issuer: str, subject: str, user_id: str, *, at: datetime
) -> ExternalIdentity | None:
    """The new identity; None if the subject is somebody already, also if that was stored at this very moment."""
    values = {
        "issuer": issuer,
        "subject": subject,
        "user_id": user_id,
        "is_admin_by_groups": False,
        "created_at": at,
    }
    statement = insert(connection, external_identities).values(values).on_conflict_do_nothing()
    row = (await connection.execute(statement.returning(*external_identities.c))).first()
    return ExternalIdentity(*row) if row else None


async def find(connection: AsyncConnection, issuer: str, subject: str) -> ExternalIdentity | None:
    """Who that is, None for somebody who never came."""
    query = select(external_identities).where(
        external_identities.c.issuer == issuer, external_identities.c.subject == subject
    )
    row = (await connection.execute(query)).first()
    return ExternalIdentity(*row) if row else None


async def get(connection: AsyncConnection, identity_id: int) -> ExternalIdentity | None:
    """The identity with this id."""
    query = select(external_identities).where(external_identities.c.id == identity_id)
    row = (await connection.execute(query)).first()
    return ExternalIdentity(*row) if row else None


async def note_sign_in(
    connection: AsyncConnection, identity_id: int, *, is_admin_by_groups: bool, at: datetime
) -> None:
    """Remembers when somebody came, and whether their groups make them an administrator."""
    statement = update(external_identities).where(external_identities.c.id == identity_id)
    await connection.execute(statement.values(signed_in_at=at, is_admin_by_groups=is_admin_by_groups))
