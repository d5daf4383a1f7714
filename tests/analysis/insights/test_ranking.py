"""What is told of what was tried: the correction counts all of it, near-duplicates are one, ids keep to the fact."""

from __future__ import annotations

import pytest

from analysis.insights.findings import Condition, Query
from analysis.insights.ranking import collapsed, fingerprint, ranked
from analysis.insights.trials import Told, Trial, Trials


def tell() -> Told:
    return Told("A sentence.", {}, "a method", Query(), {})


def trial(name: str, p: float | None, strength: float = 0.5, *, where: str = "", kind: str = "trend") -> Trial:
    subspace = (Condition(column="region", operator="=", value=where),) if where else ()
    return Trial(kind, (name,), p, strength, 1.0, 100, ("up",), (kind, name), tell, subspace)


def test_small_effects_count_as_tested() -> None:
    trials = Trials()
    trials.add(trial("a", 0.004))
    assert [one.q for one in ranked(trials, 0.05)] == [0.004]
    trials.fail(9)
    assert [one.q for one in ranked(trials, 0.05)] == [pytest.approx(0.04)]
    trials.fail(10)
    assert ranked(trials, 0.05) == []
    assert trials.tested == 20


def test_facts_are_not_tested_and_large_chances_are_not_kept() -> None:
    trials = Trials()
    trials.add(trial("a", None))
    trials.add(trial("b", 0.9))
    trials.add(trial("c", float("nan")))
    assert [(one.trial.columns, one.q) for one in ranked(trials, 0.05)] == [(("a",), None)]
    assert trials.tested == 2


def test_the_best_come_first() -> None:
    trials = Trials()
    for name, strength in (("weak", 0.1), ("strong", 0.9), ("middle", 0.5)):
        trials.add(trial(name, 1e-9, strength))
    found = ranked(trials, 0.05)
    assert [one.trial.columns[0] for one in found] == ["strong", "middle", "weak"]
    assert all(0.0 <= one.score <= one.trial.strength for one in found)


def test_the_whole_says_what_its_parts_say() -> None:
    trials = Trials()
    trials.add(trial("a", 1e-9, 0.9, where="north"))
    trials.add(trial("a", 1e-9, 0.4))
    trials.add(trial("b", 1e-9, 0.6, where="south"))
    found = collapsed(ranked(trials, 0.05))
    assert [(one.trial.columns[0], one.trial.subspace) for one in found] == [
        ("b", trial("b", 0.0, where="south").subspace),
        ("a", ()),
    ]
    assert [also.id for also in found[1].also] == [fingerprint(trial("a", 0.5, where="north"))]


def pair(one: str, other: str, strength: float) -> Trial:
    return Trial("correlation", (one, other), 1e-9, strength, 1.0, 100, (), ("correlation", one, other), tell)


def test_a_chain_of_close_correlations_says_the_rest() -> None:
    trials = Trials()
    strengths = {
        ("a", "b"): 0.95,
        ("c", "d"): 0.94,
        ("b", "c"): 0.93,
        ("a", "c"): 0.9,
        ("a", "d"): 0.8,
        ("a", "e"): 0.4,
    }
    for columns, strength in strengths.items():
        trials.add(pair(*columns, strength))
    trials.add(pair("b", "e", 0.35))
    found = collapsed(ranked(trials, 0.05))
    told = [one.trial.columns for one in found]
    assert told == [("a", "b"), ("c", "d"), ("b", "c"), ("a", "e"), ("b", "e")]
    assert [also.columns for also in found[0].also] == [["a", "c"], ["a", "d"]]


def test_ids_tell_facts_apart_and_nothing_else() -> None:
    one = fingerprint(trial("a", 1e-9, 0.9))
    assert one == fingerprint(trial("a", 0.02, 0.1))
    others = [trial("b", 1e-9), trial("a", 1e-9, where="north"), trial("a", 1e-9, kind="seasonality")]
    assert len({one, *map(fingerprint, others)}) == 4
