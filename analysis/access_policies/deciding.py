"""Who sees what of a dataset: the one place that decides it.

The strictest wins: of all policies that concern somebody and a column, one that hides comes before those that mask, and
of rows only those are shown for which every condition holds. A priority orders the reasons; it lifts no restriction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.access_policies.patterns import matches, matches_any
from analysis.access_policies.policies import ColumnChoice, Effect, People, Policy
from analysis.access_policies.views import ByName, ColumnView, Reason, RowFilter, View


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody, and their role in the workspace. None is nobody in particular: nothing excepts them."""

    user_id: str | None
    role: str | None


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is known of a column. `classifications` has types and categories."""

    tags: frozenset[str] = frozenset()
    classifications: frozenset[str] = frozenset()
    sensitivity: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What is known of a dataset; `tags` are its own and its source's, `columns` those of the catalog."""

    full_name: str
    tags: frozenset[str] = frozenset()
    sensitivity: str | None = None
    columns: Mapping[str, ColumnFacts] | None = None


_NOTHING = ColumnFacts()


def concerns(policy: Policy, viewer: Viewer) -> bool:
    """Whether a policy is meant for somebody. Nobody in particular is meant by every one."""
    if viewer.user_id is None:
        return True
    rights = policy.rights
    return _among(viewer, rights.applies_to) and not _among(viewer, rights.except_for)


def _among(viewer: Viewer, people: People) -> bool:
    return people.everyone or viewer.role in people.roles or viewer.user_id in people.users


def view_of(policies: Iterable[Policy], viewer: Viewer, dataset: DatasetFacts) -> View:
    """What the viewer sees of the dataset. `policies` are those of its source, the most important first."""
    meant = [each for each in policies if concerns(each, viewer) and _is_about(each, dataset)]
    columns: dict[str, ColumnView] = {}
    for name, facts in (dataset.columns or {}).items():
        decided = _decided(meant, name, facts, dataset)
        if decided is not None:
            columns[name] = decided
    return View(
        user_id=viewer.user_id,
        role=viewer.role,
        columns=columns,
        known=frozenset(dataset.columns or ()),
        by_name=tuple(_by_name(meant, dataset)),
        rows=tuple(
            RowFilter(policy_id=each.id, policy=each.name, condition=each.rights.rows)
            for each in meant
            if each.rights.rows is not None
        ),
    )


def _is_about(policy: Policy, dataset: DatasetFacts) -> bool:
    return policy.dataset is None or matches(policy.dataset, dataset.full_name)


def _decided(policies: Iterable[Policy], name: str, facts: ColumnFacts, dataset: DatasetFacts) -> ColumnView | None:
    found = [
        (policy, why)
        for policy in policies
        if policy.rights.columns is not None and (why := _why(policy.rights.columns, name, facts, dataset))
    ]
    if not found:
        return None
    effect = Effect.HIDE if any(policy.rights.effect is Effect.HIDE for policy, _ in found) else Effect.MASK
    reasons = tuple(
        Reason(policy_id=policy.id, policy=policy.name, effect=policy.rights.effect, why=why) for policy, why in found
    )
    return ColumnView(effect=effect, reasons=reasons)


def _why(choice: ColumnChoice, name: str, facts: ColumnFacts, dataset: DatasetFacts) -> str:
    """By what a column is chosen, in words; empty where it is not."""
    if matches_any(choice.names, name):
        return f"its name is like {next(each for each in choice.names if matches(each, name))!r}"
    if tags := sorted((facts.tags | dataset.tags) & set(choice.tags)):
        return f"it has the tag {tags[0]!r}"
    wanted = {each.casefold() for each in choice.classifications}
    if types := sorted(each for each in facts.classifications if each.casefold() in wanted):
        return f"a scan took it for {types[0]!r}"
    if levels := [each for each in (facts.sensitivity, dataset.sensitivity) if each in choice.sensitivities]:
        return f"it is {levels[0]}"
    return ""


def _by_name(policies: Iterable[Policy], dataset: DatasetFacts) -> Iterable[ByName]:
    """How columns are judged that the source has and the catalog does not know yet."""
    for policy in policies:
        choice = policy.rights.columns
        if choice is None:
            continue
        # What holds for the dataset as a whole holds for all of its columns.
        patterns = ("*",) if _why(choice, "", _NOTHING, dataset) else choice.names
        for pattern in patterns:
            yield ByName(pattern=pattern, effect=policy.rights.effect, policy=policy.name)
