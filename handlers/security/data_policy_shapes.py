"""Data policies and what they came to, as clients see them."""

from __future__ import annotations

import msgspec

from connectors.security.check import Outcome, Severity
from handlers.names import RowId
from handlers.registry import Context, Instant, NotFound, Permission
from handlers.security.policy_evaluating import check_id_of
from handlers.security.policy_requirements import PolicyBody, RequirementName
from storage import data_policies
from storage.data_policies import DataPolicy, Evaluation, Verdict

PATH = "/security/data-policies"


class SourceOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy came to in a source.

    `outcome` is `fail` if something fails; `not_evaluated`, with the `reason`, if something cannot be told, or if of
    its datasets `unseen` were never looked at; `not_applicable` if it is about no column there; otherwise `pass`. The
    numbers count columns times requirements.
    """

    policy_id: RowId
    data_source_id: RowId
    outcome: Outcome
    reason: str | None
    passed: int
    failed: int
    not_evaluated: int
    unseen: int
    evaluated_at: Instant


class DataPolicyShown(msgspec.Struct, frozen=True, kw_only=True):
    """`sources` are those in which it was judged. Its findings are those of the check `check_id`."""

    id: RowId
    workspace_id: str
    name: str
    severity: Severity
    enabled: bool
    policy: PolicyBody
    check_id: str
    sources: list[SourceOutcome]
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant


class PolicyResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a requirement holds for a column, and why."""

    data_source_id: RowId
    dataset_id: RowId | None
    dataset: str
    column: str
    requirement: RequirementName
    outcome: Outcome
    reason: str


def shown_policy(row: DataPolicy, evaluations: list[Evaluation]) -> DataPolicyShown:
    return DataPolicyShown(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        severity=Severity(row.severity),
        enabled=row.enabled,
        policy=msgspec.json.decode(row.body, type=PolicyBody),
        check_id=check_id_of(row.id),
        sources=[shown_outcome(one) for one in evaluations],
        created_by=row.created_by,
        created_at=row.created_at,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
    )


def shown_outcome(row: Evaluation) -> SourceOutcome:
    return SourceOutcome(
        policy_id=row.policy_id,
        data_source_id=row.source_id,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        passed=row.passed,
        failed=row.failed,
        not_evaluated=row.not_evaluated,
        unseen=row.unseen,
        evaluated_at=row.evaluated_at,
    )


def shown_result(source_id: int, row: Verdict) -> PolicyResult:
    return PolicyResult(
        data_source_id=source_id,
        dataset_id=row.dataset_id,
        dataset=row.dataset,
        column=row.column_name,
        requirement=row.requirement,  # type: ignore[arg-type]
        outcome=Outcome(row.outcome),
        reason=row.reason,
    )


async def require_policy(context: Context, policy_id: int, permission: Permission) -> DataPolicy:
    """The policy, if the caller may do this in its workspace. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await data_policies.get(connection, policy_id)
    if row is None:
        raise no_policy(policy_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise no_policy(policy_id) from None
    return row


def no_policy(policy_id: int) -> NotFound:
    return NotFound(f"There is no data policy {policy_id}, or you are not a member of its workspace.")
