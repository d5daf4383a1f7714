"""Data policies: what must hold for sensitive data, and in which columns it does, does not, or cannot be told."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from connectors.security.check import Severity
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Operation, Page, Permission
from handlers.security.data_policy_shapes import PATH, DataPolicyShown, no_policy, require_policy, shown_policy
from handlers.security.policy_evaluating import close_findings
from handlers.security.policy_requirements import PolicyBody
from storage import data_policies
from storage.data_policies import DataPolicy
from storage.errors import AlreadyExists

# All of a workspace are judged together.
MOST_POLICIES = 200
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$(?!\n)")]


class ListDataPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """By id."""

    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class GetDataPolicy(msgspec.Struct, frozen=True, kw_only=True):
    policy_id: RowId


class CreateDataPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """It is judged within a minute in all sources of the workspace."""

    workspace_id: WorkspaceId = "default"
    name: Name
    severity: Severity = Severity.HIGH
    enabled: bool = True
    policy: PolicyBody


class UpdateDataPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Only what is given changes; `policy` changes as a whole. Switched off, its findings are over."""

    policy_id: RowId
    name: Name | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    policy: PolicyBody | UnsetType = UNSET


class DeleteDataPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Its findings are over."""

    policy_id: RowId


async def list_data_policies(context: Context, request: ListDataPolicies) -> Page[DataPolicyShown]:
    after = decode_cursor("security.data_policies", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await data_policies.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
        evaluations = await data_policies.evaluations_of(connection, [row.id for row in rows])
    return page_of(
        rows,
        request.limit,
        "security.data_policies",
        key=lambda row: row.id,
        item=lambda row: shown_policy(row, evaluations.get(row.id, [])),
    )


async def get_data_policy(context: Context, request: GetDataPolicy) -> DataPolicyShown:
    row = await require_policy(context, request.policy_id, Permission.READ)
    async with context.parts.database.read() as connection:
        evaluations = await data_policies.evaluations_of(connection, [row.id])
    return shown_policy(row, evaluations.get(row.id, []))


async def create_data_policy(context: Context, request: CreateDataPolicy) -> DataPolicyShown:
    values = {"name": request.name, "severity": request.severity.value, "enabled": request.enabled}
    async with context.parts.database.write() as connection:
        known = await data_policies.list_of(connection, request.workspace_id, limit=MOST_POLICIES)
        if len(known) >= MOST_POLICIES:
            message = f"The workspace has {MOST_POLICIES} data policies, which is the limit; delete one."
            raise Conflict(message, code="too_many_policies", details={"limit": MOST_POLICIES})
        try:
            made = await data_policies.create(
                connection,
                request.workspace_id,
                values | {"body": _encoded(request.policy)},
                by=context.user.user_id,
                at=context.now(),
            )
        except AlreadyExists:
            raise _taken(request.name) from None
        await record(connection, context, "security.data_policies.create", str(made.id), _told(made))
    _tell(context, made)
    return shown_policy(made, [])


async def update_data_policy(context: Context, request: UpdateDataPolicy) -> DataPolicyShown:
    seen = await require_policy(context, request.policy_id, Permission.MANAGE)
    values = _changes(request)
    async with context.parts.feeds.writing() as (connection, outbox):
        try:
            changed = await data_policies.change(connection, seen.id, values, by=context.user.user_id, at=context.now())
        except AlreadyExists:
            raise _taken(values["name"]) from None
        if changed is None:
            raise no_policy(seen.id)
        if not changed.enabled:
            await close_findings(connection, outbox, changed, at=context.now())
            await data_policies.forget_evaluations(connection, changed.id)
        evaluations = await data_policies.evaluations_of(connection, [changed.id])
        await record(connection, context, "security.data_policies.update", str(seen.id), _told(changed))
    _tell(context, changed)
    return shown_policy(changed, evaluations.get(changed.id, []))


async def delete_data_policy(context: Context, request: DeleteDataPolicy) -> None:
    seen = await require_policy(context, request.policy_id, Permission.MANAGE)
    async with context.parts.feeds.writing() as (connection, outbox):
        if not await data_policies.remove(connection, seen.id):
            raise no_policy(seen.id)
        await close_findings(connection, outbox, seen, at=context.now())
        await record(connection, context, "security.data_policies.delete", str(seen.id), _told(seen))
    _tell(context, seen)


def _changes(request: UpdateDataPolicy) -> dict[str, Any]:
    """The columns that are given."""
    values: dict[str, Any] = {}
    if request.name is not UNSET:
        values["name"] = request.name
    if request.severity is not UNSET:
        values["severity"] = request.severity.value
    if request.enabled is not UNSET:
        values["enabled"] = request.enabled
    if request.policy is not UNSET:
        values["body"] = _encoded(request.policy)
    return values


def _tell(context: Context, row: DataPolicy) -> None:
    context.parts.changes.tell("security", row.workspace_id)


def _encoded(body: PolicyBody) -> str:
    return msgspec.json.encode(body).decode()


def _told(row: DataPolicy) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in ("workspace_id", "name", "severity", "enabled")}
    return told | {"policy": msgspec.json.decode(row.body)}


def _taken(name: str) -> Conflict:
    return Conflict(f"The workspace has a data policy {name!r} already; take another name.", code="name_taken")


OPERATIONS = (
    Operation(
        "security.data_policies.list",
        ListDataPolicies,
        Page[DataPolicyShown],
        list_data_policies,
        f"GET {PATH}",
        Permission.READ,
        "List the data policies of a workspace, and what they came to.",
    ),
    Operation(
        "security.data_policies.create",
        CreateDataPolicy,
        DataPolicyShown,
        create_data_policy,
        f"POST {PATH}",
        Permission.MANAGE,
        "Say what must hold for sensitive data.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "security.data_policies.get",
        GetDataPolicy,
        DataPolicyShown,
        get_data_policy,
        f"GET {PATH}/{{policy_id}}",
        Permission.SIGNED_IN,
        "Get a data policy, and what it came to.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.data_policies.update",
        UpdateDataPolicy,
        DataPolicyShown,
        update_data_policy,
        f"PATCH {PATH}/{{policy_id}}",
        Permission.SIGNED_IN,
        "Change a data policy.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "security.data_policies.delete",
        DeleteDataPolicy,
        None,
        delete_data_policy,
        f"DELETE {PATH}/{{policy_id}}",
        Permission.SIGNED_IN,
        "Delete a data policy.",
        status=204,
        errors=(Forbidden,),
    ),
)
