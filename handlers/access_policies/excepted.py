"""Who is excepted from an access policy: users who are there, as a name may come to be somebody else's."""

from __future__ import annotations

from analysis.access_policies.policies import Rights
from handlers.registry import Context, InvalidRequest
from storage import users


async def require_known(context: Context, rights: Rights) -> None:
    """Raises InvalidRequest for a user who is excepted and not there: whoever signs in first may be called so."""
    async with context.parts.database.read() as connection:
        for name in rights.except_for.users:
            if await users.get(connection, name) is None:
                raise InvalidRequest(
                    f"rights.except_for: there is no user {name!r}; the first who is called so would be excepted.",
                    code="bad_policy",
                    details={"parameter": "rights.except_for"},
                )
