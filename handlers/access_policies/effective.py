"""What somebody would see of a dataset, and why."""

from __future__ import annotations

import msgspec

from analysis.access_policies.deciding import Viewer
from analysis.access_policies.policies import RowCondition, RowsOfUser
from handlers.access_policies.shapes import EffectiveColumn, EffectiveRows, EffectiveView, PolicyReason
from handlers.dataset_access import require_dataset
from handlers.names import RowId, UserId
from handlers.policy_views import views_for
from handlers.registry import Context, Forbidden, NotFound, Operation, Permission, Principal
from storage import catalog, users


class GetEffective(msgspec.Struct, frozen=True, kw_only=True):
    """Without `user_id` for whoever asks. Of others it is told to those who manage the workspace."""

    dataset_id: RowId
    user_id: UserId | None = None


async def get_effective(context: Context, request: GetEffective) -> EffectiveView:
    user_id = request.user_id or context.user.user_id
    is_own = user_id == context.user.user_id
    dataset = await require_dataset(context, request.dataset_id, Permission.READ if is_own else Permission.MANAGE)
    role = await context.parts.access.role_for(await _principal(context, user_id), dataset.workspace_id)
    viewer = Viewer(user_id, str(role) if role else None)
    async with context.parts.database.read() as connection:
        views = await views_for(connection, viewer, dataset.workspace_id, dataset.source_id)
        view = await views.of(connection, dataset.schema or None, dataset.name)
        known = (await catalog.columns_of(connection, [dataset.id])).get(dataset.id, [])
    columns = []
    for column in known:
        kept = view.columns.get(column.name)
        reasons = [msgspec.convert(each, PolicyReason, from_attributes=True) for each in kept.reasons] if kept else []
        columns.append(EffectiveColumn(name=column.name, effect=kept.effect if kept else None, reasons=reasons))
    return EffectiveView(
        user_id=user_id,
        role=viewer.role,
        dataset_id=dataset.id,
        dataset=dataset.full_name,
        columns=columns,
        rows=[
            EffectiveRows(policy_id=each.policy_id, policy=each.policy, condition=_in_words(each.condition))
            for each in view.rows
        ],
    )


async def _principal(context: Context, user_id: str) -> Principal:
    """Somebody as if they asked. Raises NotFound."""
    if user_id == context.user.user_id:
        return context.user
    async with context.parts.database.read() as connection:
        user = await users.get(connection, user_id)
    if user is None:
        raise NotFound(f"There is no user {user_id!r}.", code="no_such_user")
    return Principal(user.id, user.is_admin, "token")


def _in_words(condition: RowCondition) -> str:
    if isinstance(condition, RowsOfUser):
        return f"{condition.column} equals the viewer's {condition.attribute}"
    return condition.expression


OPERATIONS = (
    Operation(
        "security.policies.effective",
        GetEffective,
        EffectiveView,
        get_effective,
        "GET /security/policies/effective",
        Permission.SIGNED_IN,
        "Tell what somebody sees of a dataset, and why.",
        errors=(Forbidden, NotFound),
    ),
)
