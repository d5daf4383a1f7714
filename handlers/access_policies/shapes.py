"""Access policies as clients see them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from analysis.access_policies.policies import Effect, Rights
from handlers.names import RowId, WorkspaceId
from handlers.policy_views import policy_of
from handlers.registry import Instant
from storage.access_policies import AccessPolicy

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$(?!\n)")]
DatasetPattern = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=5000,
        pattern=r"^[^\x00]+$(?!\n)",
        description="Whole names of datasets, as a glob pattern: `public.customers`, `crm.*`.",
        examples=["public.customers"],
    ),
]
Priority = Annotated[int, Meta(ge=0, le=1000, description="Of several reasons, that of the highest is told first.")]


class PolicyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A policy. Without `source_id` it is about all sources of the workspace, without `dataset` about all datasets."""

    id: RowId
    workspace_id: WorkspaceId
    name: str
    source_id: RowId | None
    dataset: str | None
    priority: int
    enabled: bool
    rights: Rights
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant


def shown(row: AccessPolicy) -> PolicyShown:
    return PolicyShown(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        source_id=row.source_id,
        dataset=row.dataset,
        priority=row.priority,
        enabled=row.enabled,
        rights=policy_of(row).rights,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
    )


class PolicyReason(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that keeps something back, and by what it is chosen."""

    policy_id: RowId
    policy: str
    effect: Effect
    why: str


class EffectiveColumn(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody sees a column: shown where `effect` is null."""

    name: str
    effect: Effect | None
    reasons: list[PolicyReason]


class EffectiveRows(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that rows have to meet to be shown; all conditions have to hold."""

    policy_id: RowId
    policy: str
    condition: str


class EffectiveView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody sees of a dataset, and why.

    `role` is null for who is no member, who sees nothing. `rows` is empty where all rows are shown. What scans took for
    sensitive is masked for everybody, whatever policies say.
    """

    user_id: str
    role: str | None
    dataset_id: RowId
    dataset: str
    columns: list[EffectiveColumn]
    rows: list[EffectiveRows]
