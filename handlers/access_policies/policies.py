"""Access policies: made, looked at, changed, and taken back by those who manage a workspace."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.access_policies.policies import Effect, People, Rights
from analysis.rules.rule_types import RuleError
from handlers.access_policies.excepted import require_known
from handlers.access_policies.shapes import DatasetPattern, Name, PolicyShown, Priority, shown
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.policy_views import TOPIC
from handlers.registry import Conflict, Context, Forbidden, InvalidRequest, NotFound, Operation, Page, Permission
from storage import access_policies, data_sources
from storage.access_policies import AccessPolicy
from storage.errors import AlreadyExists

PATH = "/security/policies"
# All of a workspace are gone through for each answer that shows values.
MOST_POLICIES = 200


class ListPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """By id. With `source_id`, those that may concern the source."""

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class GetPolicy(msgspec.Struct, frozen=True, kw_only=True):
    policy_id: RowId


class CreatePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """It is in force at once, for answers that are watched as well."""

    workspace_id: WorkspaceId = "default"
    name: Name
    source_id: RowId | None = None
    dataset: DatasetPattern | None = None
    priority: Priority = 0
    enabled: bool = True
    rights: Rights


class UpdatePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Only what is given changes; `rights` change as a whole. It is in force at once."""

    policy_id: RowId
    name: Name | UnsetType = UNSET
    source_id: RowId | UnsetType | None = UNSET
    dataset: DatasetPattern | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    rights: Rights | UnsetType = UNSET


class DeletePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What it kept back is shown again, at once."""

    policy_id: RowId


async def list_policies(context: Context, request: ListPolicies) -> Page[PolicyShown]:
    after = decode_cursor("security.policies", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await access_policies.list_of(
            connection, request.workspace_id, source_id=request.source_id, after=after, limit=request.limit + 1
        )
    return page_of(rows, request.limit, "security.policies", key=lambda row: row.id, item=shown)


async def get_policy(context: Context, request: GetPolicy) -> PolicyShown:
    return shown(await _require(context, request.policy_id))


async def create_policy(context: Context, request: CreatePolicy) -> PolicyShown:
    _check(request.rights)
    await require_known(context, request.rights)
    values = {"name": request.name, "dataset": request.dataset, "priority": request.priority}
    async with context.parts.database.write() as connection:
        await _check_source(connection, request.workspace_id, request.source_id)
        known = await access_policies.list_of(connection, request.workspace_id, limit=MOST_POLICIES)
        if len(known) >= MOST_POLICIES:
            message = f"The workspace has {MOST_POLICIES} access policies, which is the limit; delete one."
            raise Conflict(message, code="too_many_policies", details={"limit": MOST_POLICIES})
        try:
            made = await access_policies.create(
                connection,
                request.workspace_id,
                values | {"source_id": request.source_id, "enabled": request.enabled, "body": _encoded(request.rights)},
                by=context.user.user_id,
                at=context.now(),
            )
        except AlreadyExists:
            raise _taken(request.name) from None
        await record(connection, context, "security.policies.create", str(made.id), _told(made))
    context.parts.changes.tell(TOPIC, made.workspace_id)
    return shown(made)


async def update_policy(context: Context, request: UpdatePolicy) -> PolicyShown:
    seen = await _require(context, request.policy_id)
    given = {name: getattr(request, name) for name in ("name", "source_id", "dataset", "priority", "enabled")}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
    if request.rights is not UNSET:
        _check(request.rights)
        await require_known(context, request.rights)
        values["body"] = _encoded(request.rights)
    async with context.parts.database.write() as connection:
        await _check_source(connection, seen.workspace_id, values.get("source_id"))
        try:
            changed = await access_policies.change(
                connection, seen.id, values, by=context.user.user_id, at=context.now()
            )
        except AlreadyExists:
            raise _taken(values["name"]) from None
        if changed is None:
            raise _gone(seen.id)
        await record(connection, context, "security.policies.update", str(seen.id), _told(changed))
    context.parts.changes.tell(TOPIC, seen.workspace_id)
    return shown(changed)


async def delete_policy(context: Context, request: DeletePolicy) -> None:
    seen = await _require(context, request.policy_id)
    async with context.parts.database.write() as connection:
        if not await access_policies.remove(connection, seen.id):
            raise _gone(seen.id)
        await record(connection, context, "security.policies.delete", str(seen.id), _told(seen))
    context.parts.changes.tell(TOPIC, seen.workspace_id)


async def _require(context: Context, policy_id: int) -> AccessPolicy:
    """The policy, if the caller manages its workspace. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await access_policies.get(connection, policy_id)
    if row is None:
        raise _gone(policy_id)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, row.workspace_id)
    except NotFound:
        raise _gone(policy_id) from None
    return row


async def _check_source(connection: AsyncConnection, workspace_id: str, source_id: int | None) -> None:
    """Raises NotFound for a source that the workspace does not have."""
    if source_id is None:
        return
    source = await data_sources.get(connection, source_id)
    if source is None or source.workspace_id != workspace_id:
        raise NotFound(f"The workspace {workspace_id!r} has no data source {source_id}.")


def _check(rights: Rights) -> None:
    """Raises InvalidRequest for a policy that would keep nothing back, or from nobody."""
    if rights.applies_to == People():
        raise _bad("applies_to", "name whom it is for: `everyone`, `roles` or `users`")
    if rights.columns is None and rights.rows is None:
        raise _bad("columns", "name what it keeps back: `columns`, `rows` or both")
    chosen = rights.columns
    if chosen is not None and not (chosen.names or chosen.tags or chosen.classifications or chosen.sensitivities):
        raise _bad("columns", "choose columns by `names`, `tags`, `classifications` or `sensitivities`")
    if chosen is None and rights.effect is not Effect.MASK:
        raise _bad("effect", "rows are shown or not; `effect` is for columns")
    if rights.rows is not None:
        from analysis.access_policies.row_filters import check  # noqa: PLC0415 - it loads CEL and numpy

        try:
            check(rights.rows)
        except RuleError as error:
            raise _bad("rows", str(error)) from None


def _bad(parameter: str, why: str) -> InvalidRequest:
    where = f"rights.{parameter}"
    return InvalidRequest(f"{where}: {why}.", code="bad_policy", details={"parameter": where})


def _told(row: AccessPolicy) -> dict[str, Any]:
    """For the audit trail: all that it said, so that who saw what at which time can be told from it."""
    return {
        "workspace_id": row.workspace_id,
        "name": row.name,
        "source_id": row.source_id,
        "dataset": row.dataset,
        "enabled": row.enabled,
        "rights": msgspec.json.decode(row.body),
    }


def _encoded(rights: Rights) -> str:
    return msgspec.json.encode(rights).decode()


def _taken(name: str) -> Conflict:
    return Conflict(f"The workspace has an access policy {name!r} already; take another name.", code="name_taken")


def _gone(policy_id: int) -> NotFound:
    return NotFound(f"There is no access policy {policy_id}, or you are not a member of its workspace.")


OPERATIONS = (
    Operation(
        "security.policies.list",
        ListPolicies,
        Page[PolicyShown],
        list_policies,
        f"GET {PATH}",
        Permission.MANAGE,
        "List the access policies of a workspace.",
    ),
    Operation(
        "security.policies.create",
        CreatePolicy,
        PolicyShown,
        create_policy,
        f"POST {PATH}",
        Permission.MANAGE,
        "Keep columns or rows of datasets back from some people.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "security.policies.get",
        GetPolicy,
        PolicyShown,
        get_policy,
        f"GET {PATH}/{{policy_id}}",
        Permission.SIGNED_IN,
        "Get an access policy.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.policies.update",
        UpdatePolicy,
        PolicyShown,
        update_policy,
        f"PATCH {PATH}/{{policy_id}}",
        Permission.SIGNED_IN,
        "Change an access policy.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "security.policies.delete",
        DeletePolicy,
        None,
        delete_policy,
        f"DELETE {PATH}/{{policy_id}}",
        Permission.SIGNED_IN,
        "Delete an access policy.",
        status=204,
        errors=(Forbidden,),
    ),
)
