"""Judges the data policies of a workspace in one of its sources; what they come to is kept as results and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.check import AuditedObject, Category, Outcome, Remediation
from handlers.outbox import Outbox
from handlers.policy_views import policy_of
from handlers.registry import Context
from handlers.security.policy_evidence import gather_evidence
from handlers.security.policy_judging import Judged, judged, unseen_by, wanted_by
from handlers.security.policy_requirements import PolicyBody, name_of
from handlers.security.recording import apply, compare
from handlers.security.sensitive_columns import MOST_FINDINGS, gathered
from handlers.security.shapes import fingerprint_of
from handlers.security.shapes import name_of as name_of_object
from storage import access_policies, catalog_labels, data_policies, security_findings
from storage.data_policies import DataPolicy, Evaluation, Verdict
from storage.data_sources import DataSource
from storage.security_findings import NewFinding

_REMEDIES = {
    "masked": "Keep the column from these roles with an access policy.",
    "tagged": "Tag the column or its dataset in the catalog.",
    "owned": "Name an owner of the dataset in the catalog.",
    "encrypted_in_transit": "Let the source be read over TLS: set `tls` of the data source to `require` or `verify`.",
    "encrypted_at_rest": "Encrypt the file, or the disk below it and accept the finding.",
    "retained": "Delete what is older, or archive it where it may be kept.",
    "not_readable_by": "Revoke the right to read from these roles, from their groups and from PUBLIC.",
}


@dataclass(frozen=True, slots=True)
class _Result:
    """What a policy came to in a source. `is_cut`: there were more columns than could be looked at; `is_unknown`: the
    catalog holds nothing of a source that it is about."""

    policy: DataPolicy
    judged: Sequence[Judged]
    unseen: int
    is_cut: bool
    is_unknown: bool

    def count(self, outcome: Outcome) -> int:
        return sum(one.outcome is outcome for one in self.judged)

    @property
    def outcome(self) -> tuple[Outcome, str | None]:
        """The worst comes first; what nobody looked at never passes."""
        if self.count(Outcome.FAIL):
            return Outcome.FAIL, None
        if self.is_cut:
            return Outcome.NOT_EVALUATED, f"More than {MOST_FINDINGS} findings of scans are not looked at."
        if unknown := self.count(Outcome.NOT_EVALUATED):
            return Outcome.NOT_EVALUATED, f"Of {unknown} things that must hold it cannot be told whether they do."
        if self.unseen:
            return Outcome.NOT_EVALUATED, f"{self.unseen} datasets were never looked at for sensitive data."
        if self.is_unknown:
            return Outcome.NOT_EVALUATED, "The catalog holds no dataset of the source: discover and scan it."
        if not self.judged:
            return Outcome.NOT_APPLICABLE, "The source has no column that the policy is about."
        return Outcome.PASS, None


async def evaluate_source(context: Context, source: DataSource) -> int:
    """Judges the workspace's policies in the source. How many there were."""
    async with context.parts.database.read() as connection:
        policies = await data_policies.in_force(connection, source.workspace_id)
        found = await gathered(connection, source.workspace_id, source.id, with_tagged=True)
        tags = frozenset(await catalog_labels.source_tags(connection, source.id))
        ours = [policy_of(row) for row in await access_policies.in_force(connection, source.workspace_id, source.id)]
    # Whatever changes from now on makes what comes of this stale.
    began = context.now()
    bodies = [msgspec.json.decode(policy.body, type=PolicyBody) for policy in policies]
    wanted = [wanted_by(body, found, source.id, tags) for body in bodies]
    evidence = await gather_evidence(context, source, [one for each in wanted for one in each], ours, tags)
    results = [
        _Result(
            policy=policy,
            judged=list(judged(each, evidence)),
            unseen=unseen_by(body, found, source.id),
            is_cut=found.is_cut,
            is_unknown=not found.datasets and source.id in (body.about.source_ids or [source.id]),
        )
        for policy, body, each in zip(policies, bodies, wanted, strict=True)
    ]
    async with context.parts.feeds.writing() as (connection, outbox):
        await _store(connection, outbox, source, results, at=began)
    context.parts.changes.tell("security", source.workspace_id)
    return len(results)


async def _store(
    connection: AsyncConnection, outbox: Outbox, source: DataSource, results: Sequence[_Result], *, at: datetime
) -> None:
    current = {
        one.id: one.updated_at for one in await data_policies.in_force(connection, source.workspace_id, locked=True)
    }
    # One that was changed, switched off or deleted in the meantime is judged anew, or not at all.
    standing = [one for one in results if current.get(one.policy.id) == one.policy.updated_at]
    for result in standing:
        await data_policies.put_evaluation(connection, _evaluation(result, source.id, at), list(_verdicts(result)))
    known = await security_findings.of_source(connection, source.id, locked=True)
    checks = {check_id_of(one.policy.id) for one in standing if not one.is_cut}
    unseen = {
        _fingerprint(result.policy.id, source.id, one)
        for result in standing
        for one in result.judged
        if one.outcome is Outcome.NOT_EVALUATED
    }
    findings = [one for result in standing for one in _findings(result, source)]
    changes = compare(findings, known, checks, unseen)
    await apply(connection, outbox, changes, "The data policy", scan_id=None, at=at)


async def close_findings(connection: AsyncConnection, outbox: Outbox, policy: DataPolicy, *, at: datetime) -> None:
    """A policy that holds no more has no findings: they are over, in the caller's transaction."""
    check_id = check_id_of(policy.id)
    for source_id in await security_findings.sources_with(connection, policy.workspace_id, check_id):
        known = await security_findings.of_source(connection, source_id, locked=True)
        await apply(connection, outbox, compare([], known, {check_id}), "The data policy", scan_id=None, at=at)


def check_id_of(policy_id: int) -> str:
    """As the check that findings are of: exceptions and exports name it."""
    return f"DATA-POLICY-{policy_id}"


def _evaluation(result: _Result, source_id: int, at: datetime) -> Evaluation:
    outcome, reason = result.outcome
    return Evaluation(
        policy_id=result.policy.id,
        source_id=source_id,
        evaluated_at=at,
        outcome=outcome.value,
        reason=reason,
        passed=result.count(Outcome.PASS),
        failed=result.count(Outcome.FAIL),
        not_evaluated=result.count(Outcome.NOT_EVALUATED),
        unseen=result.unseen,
    )


def _verdicts(result: _Result) -> Iterator[Verdict]:
    for one in result.judged:
        name = name_of(one.requirement)
        yield Verdict(one.dataset.id, one.dataset.full_name, one.column, name, one.outcome.value, one.why)


def _findings(result: _Result, source: DataSource) -> Iterator[NewFinding]:
    policy = result.policy
    for one in result.judged:
        if one.outcome is Outcome.FAIL:
            name = name_of(one.requirement)
            yield NewFinding(
                workspace_id=source.workspace_id,
                source_id=source.id,
                fingerprint=_fingerprint(policy.id, source.id, one),
                check_id=check_id_of(policy.id),
                title=policy.name,
                category=Category.DATA_PROTECTION.value,
                severity=policy.severity,
                object=name_of_object(_object(one)),
                evidence=msgspec.json.encode({"requirement": name, "why": one.why}).decode(),
                remediation=msgspec.json.encode(Remediation(_REMEDIES[name])).decode(),
            )


def _object(one: Judged) -> AuditedObject:
    return AuditedObject("column", one.dataset.name, one.dataset.schema or None, one.column)


def _fingerprint(policy_id: int, source_id: int, one: Judged) -> str:
    required = msgspec.json.encode(one.requirement).decode()  # two may differ in their roles only
    return fingerprint_of(f"{check_id_of(policy_id)}/{required}", source_id, _object(one))
