"""Whether what a data policy requires holds for a column: it does, does not, or cannot be told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.access_policies.deciding import Viewer, view_of
from connectors.security.check import Outcome
from handlers.security.policy_evidence import Answer, Evidence
from handlers.security.policy_requirements import (
    EncryptedAtRest,
    EncryptedInTransit,
    Masked,
    NotReadableBy,
    Owned,
    PolicyBody,
    Requirement,
    Retained,
    Selection,
    Tagged,
)
from handlers.security.sensitive_columns import Gathered, SensitiveColumn, SensitiveDataset

Wanted = tuple[Requirement, SensitiveDataset, str]

_OUTCOMES = {True: Outcome.PASS, False: Outcome.FAIL, None: Outcome.NOT_EVALUATED}


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one requirement for one column; `why` in a sentence."""

    requirement: Requirement
    dataset: SensitiveDataset
    column: str
    outcome: Outcome
    why: str


def wanted_by(body: PolicyBody, found: Gathered, source_id: int, source_tags: frozenset[str]) -> list[Wanted]:
    """Each thing that must hold, with the column for which it must."""
    if body.about.source_ids and source_id not in body.about.source_ids:
        return []
    return [
        (requirement, dataset, column.name)
        for dataset in found.datasets
        for column in dataset.columns.values()
        if _is_about(body.about, dataset, column, source_tags)
        for requirement in body.requires
    ]


def unseen_by(body: PolicyBody, found: Gathered, source_id: int) -> int:
    """In how many datasets nobody looked for what the policy is about. What has a tag is known without a look."""
    if body.about.source_ids and source_id not in body.about.source_ids:
        return 0
    if body.about.tags and not (body.about.categories or body.about.types):
        return 0
    return sum(dataset.looked_at is None for dataset in found.datasets)


def _is_about(
    about: Selection, dataset: SensitiveDataset, column: SensitiveColumn, source_tags: frozenset[str]
) -> bool:
    if about.categories and not any(one.category in about.categories for one in column.findings):
        return False
    if about.types and not any(one.type in about.types for one in column.findings):
        return False
    if about.tags:
        return bool({*column.tags, *dataset.tags, *source_tags} & set(about.tags))
    return bool(about.categories or about.types) or column.is_sensitive


def judged(wanted: Sequence[Wanted], evidence: Evidence) -> Iterator[Judged]:
    for requirement, dataset, column in wanted:
        answer = _answer(requirement, dataset, dataset.columns[column], evidence)
        yield Judged(requirement, dataset, column, _OUTCOMES[answer.holds], answer.why)


def _answer(requirement: Requirement, dataset: SensitiveDataset, column: SensitiveColumn, evidence: Evidence) -> Answer:
    match requirement:
        case Masked():
            return _masked(requirement, dataset, column, evidence)
        case Tagged(tags=tags):
            has = sorted({*column.tags, *dataset.tags} & set(tags))
            return Answer(True, f"It has the tag {has[0]}.") if has else Answer(False, "It has none of the tags.")
        case Owned():
            return Answer(bool(dataset.owners), "An owner is named." if dataset.owners else "No owner is named.")
        case EncryptedInTransit():
            return evidence.in_transit
        case EncryptedAtRest():
            return evidence.at_rest
        case Retained(date_column=name, days=days):
            return evidence.oldest[dataset.schema, dataset.name, name, days]
        case NotReadableBy():
            return _not_readable(requirement, dataset, column, evidence)


def _masked(wanted: Masked, dataset: SensitiveDataset, column: SensitiveColumn, evidence: Evidence) -> Answer:
    facts = dataset.facts(evidence.source_tags)
    # Nobody in particular who has the role: a policy that is for single users covers no role.
    shown = [
        role
        for role in wanted.roles
        if view_of(evidence.access_policies, Viewer("", role), facts).effect_on(column.name) is None
    ]
    if shown:
        return Answer(False, f"No access policy keeps it from {', '.join(shown)}.")
    return Answer(True, f"It is kept from {', '.join(wanted.roles)}.")


def _not_readable(
    wanted: NotReadableBy, dataset: SensitiveDataset, column: SensitiveColumn, evidence: Evidence
) -> Answer:
    readers = evidence.readers.by_column.get((dataset.schema, dataset.name, column.name))
    if readers is None:
        return Answer(None, evidence.readers.access.reason or "The source does not have the column any more.")
    reading = sorted(set(readers) & set(wanted.roles))
    if reading:
        return Answer(False, f"It can be read in the source by {', '.join(reading)}.")
    if evidence.readers.access.state != "evaluated":
        return Answer(None, evidence.readers.access.reason or "Not all grants could be seen.")
    return Answer(True, f"It cannot be read in the source by {', '.join(wanted.roles)}.")
