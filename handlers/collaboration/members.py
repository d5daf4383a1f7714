"""Members of a workspace and their roles.

Three rules hold whoever asks: only an owner makes, changes or removes an owner; a workspace keeps at least one; and
anybody may leave.
"""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.access import Role, within_scope
from handlers.audit_trail import record
from handlers.membership_events import tell_role_change
from handlers.names import UserId, WorkspaceId
from handlers.outbox import Outbox
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from storage import members, users, workspaces


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a workspace."""

    user_id: str
    role: Role
    added_by: str
    added_at: Instant


class ListMembers(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class AddMember(msgspec.Struct, frozen=True, kw_only=True):
    """The user must have signed in, or have been made, before."""

    workspace_id: WorkspaceId
    user_id: UserId
    role: Role


class PutMember(msgspec.Struct, frozen=True, kw_only=True):
    """Adds the user, or gives a member another role. Open connections follow at once."""

    workspace_id: WorkspaceId
    user_id: UserId
    role: Role


class RemoveMember(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever removes themselves leaves; to remove others takes an administrator of the workspace."""

    workspace_id: WorkspaceId
    user_id: UserId


async def list_members(context: Context, request: ListMembers) -> Page[Member]:
    after = decode_cursor("members", request.cursor, UserId)
    async with context.parts.database.read() as connection:
        rows = await members.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
    return page_of(rows, request.limit, "members", key=lambda row: row.user_id, item=_shown)


async def add_member(context: Context, request: AddMember) -> Member:
    async with context.parts.feeds.writing() as (connection, outbox):
        before = await _locked_role(connection, request.workspace_id, request.user_id)
        if before is not None:
            raise Conflict(
                f"{request.user_id} is {before} of {request.workspace_id!r} already.",
                code="already_member",
                details={"role": before},
            )
        row = await _put(connection, outbox, context, "collaboration.members.add", request, before)
    context.parts.access.invalidate(request.workspace_id, request.user_id)
    return _shown(row)


async def put_member(context: Context, request: PutMember) -> Member:
    async with context.parts.feeds.writing() as (connection, outbox):
        before = await _locked_role(connection, request.workspace_id, request.user_id)
        row = await _put(connection, outbox, context, "collaboration.members.put", request, before)
    context.parts.access.invalidate(request.workspace_id, request.user_id)
    return _shown(row)


async def remove_member(context: Context, request: RemoveMember) -> None:
    async with context.parts.feeds.writing() as (connection, outbox):
        before = await _locked_role(connection, request.workspace_id, request.user_id)
        if request.user_id != context.user.user_id:
            await _require_rank(connection, context, request.workspace_id, before, None)
        if before is None:
            raise NotFound(f"{request.user_id} is not a member of {request.workspace_id!r}.", code="not_a_member")
        await _keep_an_owner(connection, request.workspace_id, before, None)
        await members.remove(connection, request.workspace_id, request.user_id)
        target = f"{request.workspace_id}/{request.user_id}"
        await record(connection, context, "collaboration.members.remove", target, {"before": before})
        await _tell(connection, outbox, context, request, before, None)
    context.parts.access.invalidate(request.workspace_id, request.user_id)


async def _put(
    connection: AsyncConnection,
    outbox: Outbox,
    context: Context,
    action: str,
    request: AddMember | PutMember,
    before: Role | None,
) -> members.Member:
    workspace_id, user_id = request.workspace_id, request.user_id
    await _require_rank(connection, context, workspace_id, before, request.role)
    await _keep_an_owner(connection, workspace_id, before, request.role)
    if await users.get(connection, user_id) is None:
        raise NotFound(f"There is no user {user_id!r}.", code="unknown_user")
    row = await members.put(
        connection, workspace_id, user_id, request.role, added_by=context.user.user_id, at=context.now()
    )
    await record(connection, context, action, f"{workspace_id}/{user_id}", {"role": request.role, "before": before})
    await _tell(connection, outbox, context, request, before, request.role)
    return row


async def _tell(
    connection: AsyncConnection,
    outbox: Outbox,
    context: Context,
    request: AddMember | PutMember | RemoveMember,
    before: Role | None,
    after: Role | None,
) -> None:
    actor = context.user.user_id
    await tell_role_change(connection, outbox, request.workspace_id, request.user_id, before, after, actor=actor)


async def _locked_role(connection: AsyncConnection, workspace_id: str, user_id: str) -> Role | None:
    """The user's role, which nobody else can change until the transaction ends."""
    if not await workspaces.lock(connection, workspace_id):
        raise NotFound(f"There is no workspace {workspace_id!r}, or you are not a member of it.")
    role = await members.role_of(connection, workspace_id, user_id)
    return Role(role) if role is not None else None


async def _require_rank(
    connection: AsyncConnection, context: Context, workspace_id: str, before: Role | None, after: Role | None
) -> None:
    """Raises Forbidden unless the caller may change a role so, by what the caller is in this very transaction."""
    own = Role.OWNER
    if not context.user.is_admin:
        own = Role(await members.role_of(connection, workspace_id, context.user.user_id) or Role.VIEWER)
        own = within_scope(context.user, workspace_id, own) or Role.VIEWER
    needed = Role.OWNER if Role.OWNER in (before, after) else Role.ADMIN
    if own is not needed and own is not Role.OWNER:
        raise Forbidden(
            f"This needs the role {needed} in {workspace_id!r}; you are {own}.",
            details={"role": own, "needed": needed},
        )


async def _keep_an_owner(
    connection: AsyncConnection, workspace_id: str, before: Role | None, after: Role | None
) -> None:
    """Raises Conflict if the last owner would be one no longer."""
    if before is not Role.OWNER or after is Role.OWNER:
        return
    if await members.count(connection, workspace_id, Role.OWNER) == 1:
        raise Conflict(f"{workspace_id!r} would be left without an owner.", code="last_owner")


def _shown(row: members.Member) -> Member:
    return Member(user_id=row.user_id, role=Role(row.role), added_by=row.added_by, added_at=row.added_at)


OPERATIONS = (
    Operation(
        "collaboration.members.list",
        ListMembers,
        Page[Member],
        list_members,
        "GET /collaboration/workspaces/{workspace_id}/members",
        Permission.READ,
        "List a workspace's members.",
    ),
    Operation(
        "collaboration.members.add",
        AddMember,
        Member,
        add_member,
        "POST /collaboration/workspaces/{workspace_id}/members",
        Permission.MANAGE,
        "Add a member.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "collaboration.members.put",
        PutMember,
        Member,
        put_member,
        "PUT /collaboration/workspaces/{workspace_id}/members/{user_id}",
        Permission.MANAGE,
        "Add a member or change a member's role.",
        errors=(Conflict,),
    ),
    Operation(
        "collaboration.members.remove",
        RemoveMember,
        None,
        remove_member,
        "DELETE /collaboration/workspaces/{workspace_id}/members/{user_id}",
        Permission.READ,
        "Remove a member, or leave.",
        status=204,
        errors=(Conflict,),
    ),
)
