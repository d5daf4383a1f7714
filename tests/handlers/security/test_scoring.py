"""The figures of an audit, for any outcomes of any checks: who sees less is never told that more is well."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.security.check import Category, Check, CheckResult, Outcome, Severity, remedy
from handlers.security.scoring import coverage_of

_CHECK = Check(
    id="X-001",
    title="A check",
    severity=Severity.LOW,
    category=Category.DATA_PROTECTION,
    rationale="",
    statement="",
    judge=lambda _: [],
    remediation=remedy(""),
)
UNSEEN = (Outcome.NOT_EVALUATED, Outcome.ERROR)
SEEN = (Outcome.PASS, Outcome.FAIL)


def a_result(outcomes: tuple[Outcome, ...] = tuple(Outcome)) -> st.SearchStrategy[CheckResult]:
    return st.builds(
        lambda severity, outcome: CheckResult(replace(_CHECK, severity=severity), outcome),
        st.sampled_from(Severity),
        st.sampled_from(outcomes),
    )


results = st.lists(a_result(), max_size=30)


@settings(max_examples=60)
@given(results, a_result(SEEN), st.sampled_from(UNSEEN))
def test_who_is_blind_to_a_check_is_assured_of_no_more(
    others: list[CheckResult], seen: CheckResult, how: Outcome
) -> None:
    with_it, without = coverage_of([*others, seen]), coverage_of([*others, replace(seen, outcome=how)])
    assert with_it.assured is without.assured is None or (without.assured or 0.0) <= (with_it.assured or 0.0)
    assert (without.coverage or 0.0) < (with_it.coverage or 0.0)
    # What is not seen is no pass: the score is as if there were no such check.
    assert without.score == coverage_of(others).score


@settings(max_examples=60)
@given(results, a_result((Outcome.FAIL,)))
def test_what_is_put_right_never_lowers_a_figure(others: list[CheckResult], failed: CheckResult) -> None:
    before, after = coverage_of([*others, failed]), coverage_of([*others, replace(failed, outcome=Outcome.PASS)])
    assert (after.score or 0.0) >= (before.score or 0.0)
    assert (after.assured or 0.0) >= (before.assured or 0.0)
    assert after.coverage == before.coverage


@settings(max_examples=60)
@given(results, a_result((Outcome.FAIL,)))
def test_a_fault_more_never_raises_a_figure(others: list[CheckResult], failed: CheckResult) -> None:
    before, after = coverage_of(others), coverage_of([*others, failed])
    for less, more in ((after.score, before.score), (after.assured, before.assured)):
        assert more is None or (less is not None and less <= more)


@settings(max_examples=60)
@given(results)
def test_the_figures_lie_where_they_must(some: list[CheckResult]) -> None:
    figures = coverage_of(some)
    outcomes = [one.outcome for one in some if one.check.severity is not Severity.INFO]
    if figures.score is not None and figures.assured is not None:
        assert 0 <= figures.assured <= figures.score <= 100
        assert (figures.score == 100) == (Outcome.FAIL not in outcomes)
        assert (figures.assured == figures.score) or any(one in UNSEEN for one in outcomes)
    assert (figures.score is None) == (not any(one in SEEN for one in outcomes))
    assert figures.coverage is None or 0 <= figures.coverage <= 1
    applicable = [one for one in some if one.outcome is not Outcome.NOT_APPLICABLE]
    assert (figures.coverage == 1) == (bool(applicable) and all(one.outcome in SEEN for one in applicable))
    kinds = (figures.passed, figures.failed, figures.not_evaluated, figures.not_applicable, figures.errors)
    assert sum(kinds) == len(some)


def test_a_hundred_is_never_told_of_what_has_a_fault() -> None:
    passed = CheckResult(replace(_CHECK, severity=Severity.CRITICAL), Outcome.PASS)
    many = coverage_of([*[passed] * 999, CheckResult(_CHECK, Outcome.FAIL)])
    assert many.score == many.assured == 99.9
    unseen = coverage_of([*[passed] * 99_999, CheckResult(_CHECK, Outcome.ERROR)])
    assert (unseen.score, unseen.assured, unseen.coverage) == (100, 99.9, 0.9999)
