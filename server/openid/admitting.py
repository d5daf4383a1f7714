"""From somebody at the provider to a user here: found by issuer and subject, made if need be, with what groups give.

A user is never found by a name or an address, which people choose or lose: whoever comes for the first time becomes a
new user, under a name that is free. What was given by hand stays; what groups gave goes when the groups do.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.access import ROLES, Role
from handlers.audit_pacing import ANONYMOUS
from handlers.audit_trail import DONE
from handlers.membership_events import tell_role_change
from handlers.outbox import Outbox
from handlers.parts import Parts
from server.openid.failures import SignInFailed, Told
from server.openid.options import OpenIdOptions
from server.openid.person import Person
from storage import audit, external_identities, members, users, workspaces
from storage.external_identities import ExternalIdentity
from storage.users import User

logger = logging.getLogger(__name__)

# Who acts for the groups. The slash keeps users from that name.
ACTOR = "server/openid"
# Names that stand for somebody else in the audit trail, or look as if they did.
RESERVED = frozenset({ANONYMOUS, "admin", "root", "server", "system"})
MOST_NAMES = 50


class _MetAnother(Exception):
    """The same person comes at this very moment, and was stored first."""


async def admit(parts: Parts, person: Person, options: OpenIdOptions, at: datetime) -> ExternalIdentity:
    """The person's identity, with memberships as the groups have them. Raises SignInFailed."""
    try:
        found = await _admit(parts, person, options, at)
    except _MetAnother:
        found = await _admit(parts, person, options, at)
    # Memberships of others did not change.
    parts.access.invalidate(user_id=found.user_id)
    return found


async def _admit(parts: Parts, person: Person, options: OpenIdOptions, at: datetime) -> ExternalIdentity:
    async with parts.feeds.writing() as (connection, outbox):
        identity = await external_identities.find(connection, person.issuer, person.subject)
        if identity is None:
            identity = await _make(connection, person, at)
        user = await users.get(connection, identity.user_id)
        if user is None or not user.is_active:
            raise SignInFailed("deactivated", Told.NOT_ADMITTED, f"the user {identity.user_id!r} is deactivated")
        by_groups = await _administrate(connection, person, options, identity, user, at)
        await external_identities.note_sign_in(connection, identity.id, is_admin_by_groups=by_groups, at=at)
        for workspace_id, role in _roles_of(person, options).items():
            await _put_member(connection, outbox, workspace_id, user.id, role, at)
    return identity


async def _make(connection: AsyncConnection, person: Person, at: datetime) -> ExternalIdentity:
    for name in _names(person):
        if await users.create(connection, name, at=at, display_name=person.title):
            break
    else:
        raise SignInFailed("no_free_name", Told.UNAVAILABLE, f"too many are called {person.wished_name!r}")
    identity = await external_identities.create(connection, person.issuer, person.subject, name, at=at)
    if identity is None:
        raise _MetAnother
    details = {"issuer": person.issuer, "subject": person.subject}
    await _note(connection, "users.create", name, at, details)
    return identity


def _names(person: Person) -> list[str]:
    first = [] if person.wished_name in RESERVED else [person.wished_name]
    return [*first, *(f"{person.wished_name}-{number}" for number in range(2, MOST_NAMES))]


async def _administrate(
    connection: AsyncConnection,
    person: Person,
    options: OpenIdOptions,
    identity: ExternalIdentity,
    user: User,
    at: datetime,
) -> bool:
    """Whether the user is an administrator by groups. Who is one otherwise stays one."""
    wanted = bool(options.admin_groups & person.groups)
    if wanted and not user.is_admin:
        await users.change(connection, user.id, is_admin=True)
        await _note(connection, "users.change", user.id, at, {"is_admin": True})
        return True
    if identity.is_admin_by_groups and not wanted:
        await users.change(connection, user.id, is_admin=False)
        await _note(connection, "users.change", user.id, at, {"is_admin": False})
        return False
    return identity.is_admin_by_groups


def _roles_of(person: Person, options: OpenIdOptions) -> dict[str, Role | None]:
    """The highest role that the groups give in each workspace that there are rules for, None for none."""
    found: dict[str, Role | None] = {}
    for rule in sorted(options.roles, key=lambda rule: (rule.workspace_id, ROLES.index(rule.role))):
        held = found.setdefault(rule.workspace_id, None)
        found[rule.workspace_id] = rule.role if rule.group in person.groups else held
    return found


async def _put_member(
    connection: AsyncConnection, outbox: Outbox, workspace_id: str, user_id: str, role: Role | None, at: datetime
) -> None:
    if not await workspaces.lock(connection, workspace_id):
        logger.warning("a group gives a role in the workspace %r, which there is not", workspace_id)
        return
    held = await members.get(connection, workspace_id, user_id)
    before = held.role if held else None
    if before == role or (held is not None and held.added_by != ACTOR):
        return
    if role is None:
        await members.remove(connection, workspace_id, user_id)
    else:
        await members.put(connection, workspace_id, user_id, role, added_by=ACTOR, at=at)
    action = f"collaboration.members.{'put' if role else 'remove'}"
    await _note(connection, action, f"{workspace_id}/{user_id}", at, {"role": role, "before": before})
    await tell_role_change(connection, outbox, workspace_id, user_id, before, role, actor=ACTOR)


async def _note(connection: AsyncConnection, action: str, target: str, at: datetime, details: dict[str, Any]) -> None:
    details = {"via": "openid", **details}
    await audit.append(connection, actor=ACTOR, action=action, target=target, outcome=DONE, details=details, at=at)
