"""Rules of compliance, each with its evidence: of whom it was judged, for how many it holds, and who fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from connectors.datasets import Kind
from handlers.names import RowId, WorkspaceId
from handlers.registry import Context, Instant, Operation, Permission, Watched
from storage import dashboard_compliance as facts
from storage import data_policies
from storage.dashboard_compliance import Fact, Group, SourceFacts
from storage.data_policies import DataPolicy, DatasetOutcome

MOST_FAILING = 50
GRAVE = ("high", "critical")
DATABASES = frozenset({Kind.POSTGRESQL, Kind.MYSQL, Kind.SQLITE, Kind.DUCKDB})
# Of the others no backups are made.
BACKED_UP = DATABASES - {Kind.MYSQL}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Rule(Generic[T]):
    """A rule about datasets or sources: of whom it can be judged, of whom it cannot, and where it holds."""

    name: str
    statement: str
    is_judged: Callable[[T], bool]
    is_unknown: Callable[[T], bool]
    holds: Callable[[T], bool]


Days = Annotated[int, Meta(ge=1, le=3650)]


class GetCompliance(msgspec.Struct, frozen=True, kw_only=True):
    """How old the newest scan of a source may be, and the newest verified backup of a database."""

    workspace_id: WorkspaceId = "default"
    scanned_within_days: Days = 30
    backed_up_within_days: Days = 7


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
    async with context.parts.database.read() as connection:
        groups = await facts.dataset_groups(connection, workspace_id, GRAVE, most=MOST_FAILING)
        sources = await facts.source_facts(connection, workspace_id)
        failing = {id_ for rule in _DATASET_RULES for id_ in _failing_datasets(rule, groups)}
        names = await facts.dataset_names(connection, failing)
        policies = await data_policies.in_force(connection, workspace_id)
        outcomes = await data_policies.dataset_outcomes(connection, workspace_id)
    rules = [_of_datasets(rule, groups, names) for rule in _DATASET_RULES]
    rules += [_of_sources(rule, sources) for rule in _source_rules(request, now)]
    rules += [_of_policy(policy, outcomes) for policy in policies]
    judged, passed = sum(rule.judged for rule in rules), sum(rule.passed for rule in rules)
    datasets = sum(group.count for group in groups)
    classified = sum(group.count for group in groups if Fact.CLASSIFIED in group.facts)
    return Compliance(
        workspace_id=workspace_id,
        as_of=now,
        score=round(passed / judged, 4) if judged else None,
        coverage=round(classified / datasets, 4) if datasets else None,
        datasets=datasets,
        classified_datasets=classified,
        rules=rules,
    )


def _has(fact: Fact) -> Callable[[Fact], bool]:
    return lambda facts: fact in facts


def _lacks(fact: Fact) -> Callable[[Fact], bool]:
    return lambda facts: fact not in facts


def _about_personal(name: str, statement: str, holds: Callable[[Fact], bool]) -> _Rule[Fact]:
    return _Rule(name, statement, _has(Fact.PERSONAL), _lacks(Fact.CLASSIFIED), holds)


_DATASET_RULES = (
    _about_personal("personal_data_has_owner", "Every dataset with personal data has an owner.", _has(Fact.OWNED)),
    _about_personal(
        "personal_data_is_described", "Every dataset with personal data has a description.", _has(Fact.DESCRIBED)
    ),
    _about_personal(
        "personal_data_is_labelled",
        "Every column with personal data has a sensitivity, or its dataset has.",
        lambda facts: Fact.LABELLED in facts or Fact.UNLABELLED_COLUMN not in facts,
    ),
    _Rule(
        "no_grave_rule_fails",
        "No rule of high or critical severity fails in a dataset that was checked.",
        _has(Fact.CHECKED),
        _lacks(Fact.CHECKED),
        _lacks(Fact.FAILS),
    ),
)


def _source_rules(request: GetCompliance, now: datetime) -> tuple[_Rule[SourceFacts], ...]:
    scanned_since = now - timedelta(days=request.scanned_within_days)
    backed_up_since = now - timedelta(days=request.backed_up_within_days)
    return (
        _Rule(
            "sources_are_scanned",
            f"Every data source was scanned with success within {request.scanned_within_days} days.",
            lambda _: True,
            lambda _: False,
            lambda source: source.scanned_at is not None and source.scanned_at >= scanned_since,
        ),
        _Rule(
            "databases_are_backed_up",
            f"Every database has a verified backup that is at most {request.backed_up_within_days} days old.",
            lambda source: source.kind in BACKED_UP,
            lambda source: source.kind in DATABASES - BACKED_UP,
            lambda source: source.backed_up_at is not None and source.backed_up_at >= backed_up_since,
        ),
    )


def _of_datasets(rule: _Rule[Fact], groups: list[Group], names: dict[int, str]) -> RuleEvidence:
    judged = [group for group in groups if rule.is_judged(group.facts)]
    passed = sum(group.count for group in judged if rule.holds(group.facts))
    unknown = sum(group.count for group in groups if rule.is_unknown(group.facts))
    failing = [Failing(id=id_, name=names[id_]) for id_ in _failing_datasets(rule, groups)]
    return _evidence(rule, "dataset", sum(group.count for group in judged), passed, unknown, failing)


def _failing_datasets(rule: _Rule[Fact], groups: list[Group]) -> list[int]:
    """The first of them: each is among the first of its group."""
    failing = [group.first for group in groups if rule.is_judged(group.facts) and not rule.holds(group.facts)]
    return sorted(id_ for ids in failing for id_ in ids)[:MOST_FAILING]


def _of_sources(rule: _Rule[SourceFacts], sources: list[SourceFacts]) -> RuleEvidence:
    judged = [source for source in sources if rule.is_judged(source)]
    failing = [Failing(id=source.id, name=source.name) for source in judged if not rule.holds(source)]
    unknown = sum(map(rule.is_unknown, sources))
    passed = len(judged) - len(failing)
    return _evidence(rule, "data_source", len(judged), passed, unknown, failing[:MOST_FAILING])


def _of_policy(policy: DataPolicy, outcomes: list[DatasetOutcome]) -> RuleEvidence:
    """A data policy, by the worst of each dataset that it is about; where it cannot be told, it is not judged."""
    mine = [one for one in outcomes if one.policy_id == policy.id]
    passed, unknown, failing = ([one for one in mine if one.outcome == word] for word in _WORDS)
    return RuleEvidence(
        rule=f"data_policy:{policy.id}",
        statement=policy.name,
        subject="dataset",
        judged=len(passed) + len(failing),
        passed=len(passed),
        failed=len(failing),
        unknown=len(unknown),
        failing=[Failing(id=one.dataset_id, name=one.dataset) for one in failing[:MOST_FAILING]],
    )


_WORDS = ("pass", "not_evaluated", "fail")


def _evidence(
    rule: _Rule[Any],
    subject: Literal["dataset", "data_source"],
    judged: int,
    passed: int,
    unknown: int,
    failing: list[Failing],
) -> RuleEvidence:
    return RuleEvidence(
        rule=rule.name,
        statement=rule.statement,
        subject=subject,
        judged=judged,
        passed=passed,
        failed=judged - passed,
        unknown=unknown,
        failing=failing,
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
        watched=Watched(frozenset({"data_sources", "catalog", "scans", "documents", "backups", "security"})),
    ),
)
