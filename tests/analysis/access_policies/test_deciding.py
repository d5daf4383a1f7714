"""Who sees what: the strictest wins, exceptions hold, and nobody in particular sees the least."""

from __future__ import annotations

import pickle
import random
from typing import Any

import msgspec
import pytest

from analysis.access_policies.deciding import ColumnFacts, DatasetFacts, Viewer, view_of
from analysis.access_policies.policies import Effect, Policy, Rights

ANN = Viewer("ann", "viewer")
PEOPLE = DatasetFacts(
    "crm.people",
    frozenset({"eu"}),
    "internal",
    {
        "Mail": ColumnFacts(frozenset({"contact"}), frozenset({"email", "PII"}), None),
        "pay": ColumnFacts(frozenset(), frozenset(), "restricted"),
        "city": ColumnFacts(),
    },
)


def policy(number: int = 1, dataset: str | None = None, **rights: Any) -> Policy:
    given = {"applies_to": {"everyone": True}} | rights
    return Policy(id=number, name=f"policy {number}", dataset=dataset, rights=msgspec.convert(given, Rights))


def effects(*policies: Policy, viewer: Viewer = ANN, dataset: DatasetFacts = PEOPLE) -> dict[str, str]:
    view = view_of(policies, viewer, dataset)
    return {name: each.effect.value for name, each in view.columns.items()}


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"names": ["ma*"]}, {"Mail"}),
        ({"names": ["*"]}, {"Mail", "pay", "city"}),
        ({"tags": ["contact"]}, {"Mail"}),
        ({"tags": ["eu"]}, {"Mail", "pay", "city"}),
        ({"classifications": ["email"]}, {"Mail"}),
        ({"classifications": ["pii"]}, {"Mail"}),
        ({"sensitivities": ["restricted"]}, {"pay"}),
        ({"sensitivities": ["internal"]}, {"Mail", "pay", "city"}),
        ({"names": ["city"], "tags": ["contact"]}, {"Mail", "city"}),
        ({"names": ["salary"]}, set()),
    ],
)
def test_columns_are_chosen_by_name_tag_classification_and_sensitivity(columns: Any, found: set[str]) -> None:
    assert effects(policy(columns=columns)) == dict.fromkeys(found, "mask")


@pytest.mark.parametrize(
    ("people", "concerns"),
    [
        ({"applies_to": {"roles": ["viewer"]}}, True),
        ({"applies_to": {"roles": ["editor"]}}, False),
        ({"applies_to": {"users": ["ann"]}}, True),
        ({"applies_to": {"everyone": True}, "except_for": {"roles": ["viewer"]}}, False),
        ({"applies_to": {"everyone": True}, "except_for": {"users": ["ann"]}}, False),
        ({"applies_to": {"everyone": True}, "except_for": {"users": ["bob"]}}, True),
    ],
)
def test_a_policy_is_for_some_people_and_excepts_others(people: Any, concerns: bool) -> None:
    assert bool(effects(policy(columns={"names": ["city"]}, **people))) is concerns
    nobody = effects(policy(columns={"names": ["city"]}, **people), viewer=Viewer(None, None))
    assert nobody == {"city": "mask"}


def test_a_policy_is_of_datasets_by_their_whole_names() -> None:
    for pattern, holds in (("crm.*", True), ("CRM.people", True), ("people", False), ("sales.*", False)):
        assert bool(effects(policy(dataset=pattern, columns={"names": ["city"]}))) is holds, pattern


def test_the_strictest_wins_whatever_the_order_and_the_rows_are_those_that_all_show() -> None:
    mask = policy(1, columns={"names": ["city"]}, rows={"type": "of_user", "column": "owner"})
    hide = policy(2, columns={"names": ["c*"]}, effect="hide", rows={"type": "where", "expression": "row.a > 1"})
    view = view_of([mask, hide], ANN, PEOPLE)
    assert view.columns["city"].effect is view_of([hide, mask], ANN, PEOPLE).columns["city"].effect is Effect.HIDE
    assert [reason.policy_id for reason in view.columns["city"].reasons] == [1, 2]
    assert [each.policy_id for each in view.rows] == [1, 2]


def test_one_more_policy_never_shows_more() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    strength = {None: 0, Effect.MASK: 1, Effect.HIDE: 2}
    choices = [{"names": ["*i*"]}, {"tags": ["eu"]}, {"classifications": ["email"]}, {"sensitivities": ["restricted"]}]
    for _ in range(300):
        policies = [
            policy(number, columns=chance.choice(choices), effect=chance.choice(["mask", "hide"]))
            for number in range(chance.randrange(1, 6))
        ]
        fewer = chance.sample(policies, chance.randrange(len(policies)))
        more, less = view_of(policies, ANN, PEOPLE), view_of(fewer, ANN, PEOPLE)
        for column in ("Mail", "pay", "city", "new"):
            assert strength[more.effect_on(column)] >= strength[less.effect_on(column)]


def test_a_column_that_the_catalog_does_not_know_yet_is_judged_by_its_name() -> None:
    by_name = view_of([policy(columns={"names": ["secret*"]}, effect="hide")], ANN, PEOPLE)
    assert by_name.effect_on("Secret_plan") is Effect.HIDE
    assert by_name.effect_on("plan") is None
    by_tag = view_of([policy(columns={"tags": ["eu"]})], ANN, PEOPLE)
    assert by_tag.effect_on("plan") is Effect.MASK
    assert "policy 1" in by_tag.why("plan")


def test_views_that_show_something_else_have_another_digest() -> None:
    mask, hide = (policy(columns={"names": ["city"]}, effect=effect) for effect in ("mask", "hide"))
    mine = policy(rows={"type": "of_user", "column": "owner"})
    views = [view_of(each, ANN, PEOPLE) for each in ([], [mask], [hide], [mine])]
    others = view_of([mine], Viewer("bob", "viewer"), PEOPLE)
    assert len({each.digest for each in [*views, others]}) == 5
    assert view_of([mask, mask], ANN, PEOPLE).columns.keys() == views[1].columns.keys()
    assert [each.is_open for each in views] == [True, False, False, False]


def test_what_a_reader_is_sent_decides_the_same_and_is_small() -> None:
    names = [f"secret_{number}" for number in range(5_000)]
    wide = DatasetFacts("wide", columns={name: ColumnFacts() for name in names})
    rules = [policy(1, columns={"names": ["secret_*"]}), policy(2, columns={"names": ["*9", "new"]}, effect="hide")]
    view = view_of(rules, ANN, wide)
    brief = view.brief()
    for name in [*names, "new", "other"]:
        assert brief.effect_on(name) is view.effect_on(name)
    assert brief.why("secret_9") == view.why("secret_9")
    assert brief.digest == view.digest
    assert len(pickle.dumps(brief)) < 40 * len(names)
