"""Rules of compliance, each with its evidence: of whom it was judged, for how many it holds, and who fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.names import RowId, WorkspaceId
from handlers.registry import Context, Instant, Operation, Permission, Watched
from storage import dashboard_compliance as facts

MOST_FAILING = 50
GRAVE = ("high", "critical")


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    statement: str
    subject: Literal["dataset", "data_source"]
    query: facts.Judged
    unknown: int


class GetCompliance(msgspec.Struct, frozen=True, kw_only=True):
    """`scanned_within_days`: how old the newest scan of a source may be."""

    workspace_id: WorkspaceId = "default"
    scanned_within_days: Annotated[int, Meta(ge=1, le=3650)] = 30


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    id: RowId
    name: str


class RuleEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and what it was judged by.

    It was judged for `judged` subjects and holds for `passed` of them; `failing` names the first of the others. It
    could not be judged for `unknown` ones, for which the facts are missing.
    """

    rule: str
    statement: str
    subject: Literal["dataset", "data_source"]
    judged: int
    passed: int
    failed: int
    unknown: int
    failing: list[Failing]


class Compliance(msgspec.Struct, frozen=True, kw_only=True):
    """`score` is the share of all judgements that passed, null where there was none.

    `coverage` is the share of the datasets that were looked at for sensitive data: of the others the score says
    nothing. Null where there is no dataset.
    """

    workspace_id: WorkspaceId
    as_of: Instant
    score: float | None
    coverage: float | None
    datasets: int
    classified_datasets: int
    rules: list[RuleEvidence]


async def get_compliance(context: Context, request: GetCompliance) -> Compliance:
    workspace_id, now = request.workspace_id, context.now()
    since = now - timedelta(days=request.scanned_within_days)
    async with context.parts.database.read() as connection:
        coverage = await facts.coverage(connection, workspace_id)
        found = [
            _shown(rule, await facts.evidence(connection, rule.query, most=MOST_FAILING))
            for rule in _rules(connection, workspace_id, coverage, since, request.scanned_within_days)
        ]
    judged, passed = sum(rule.judged for rule in found), sum(rule.passed for rule in found)
    return Compliance(
        workspace_id=workspace_id,
        as_of=now,
        score=round(passed / judged, 4) if judged else None,
        coverage=round(coverage.classified / coverage.datasets, 4) if coverage.datasets else None,
        datasets=coverage.datasets,
        classified_datasets=coverage.classified,
        rules=found,
    )


def _rules(
    connection: AsyncConnection, workspace_id: str, coverage: facts.Coverage, since: datetime, days: int
) -> tuple[_Rule, ...]:
    unclassified, unchecked = coverage.datasets - coverage.classified, coverage.datasets - coverage.checked
    return (
        _Rule(
            "personal_data_has_owner",
            "Every dataset with personal data has an owner.",
            "dataset",
            facts.personal_with_owner(connection, workspace_id),
            unclassified,
        ),
        _Rule(
            "personal_data_is_described",
            "Every dataset with personal data has a description.",
            "dataset",
            facts.personal_described(connection, workspace_id),
            unclassified,
        ),
        _Rule(
            "personal_data_is_labelled",
            "Every column with personal data has a sensitivity, or its dataset has.",
            "dataset",
            facts.personal_labelled(connection, workspace_id),
            unclassified,
        ),
        _Rule(
            "no_grave_rule_fails",
            "No rule of high or critical severity fails in a dataset that was checked.",
            "dataset",
            facts.quality_holds(connection, workspace_id, GRAVE),
            unchecked,
        ),
        _Rule(
            "sources_are_scanned",
            f"Every data source was scanned with success within {days} days.",
            "data_source",
            facts.sources_scanned(workspace_id, since),
            0,
        ),
    )


def _shown(rule: _Rule, evidence: facts.Evidence) -> RuleEvidence:
    return RuleEvidence(
        rule=rule.name,
        statement=rule.statement,
        subject=rule.subject,
        judged=evidence.judged,
        passed=evidence.passed,
        failed=evidence.judged - evidence.passed,
        unknown=rule.unknown,
        failing=[Failing(id=one.id, name=one.name) for one in evidence.failing],
    )


OPERATIONS = (
    Operation(
        "dashboard.compliance",
        GetCompliance,
        Compliance,
        get_compliance,
        "GET /dashboard/compliance",
        Permission.READ,
        "Get how far rules of compliance hold, with evidence.",
        watched=Watched(frozenset({"data_sources", "catalog", "scans", "documents", "backups"})),
    ),
)
