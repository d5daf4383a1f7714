"""How secure a source is by what its checks came to, and how much of it was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from connectors.security.check import Category, CheckResult, Outcome, Severity


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many checks there were of a category, by what came of them.

    `score` is 100 times the weight of those that passed through the weight of those that were evaluated; null where
    none was. A critical check weighs 10, high 5, medium 3, low 1, info nothing. `coverage` is the part of the
    applicable checks that was evaluated, 0 to 1; null where none applies. `assured` is the score if all that was not
    evaluated had failed: who sees less never has more of it. All are rounded down, so that 100 means that nothing
    failed; null where no check that weighs anything applies, and in older audits.
    """

    passed: int
    failed: int
    not_evaluated: int
    not_applicable: int
    errors: int
    score: float | None
    coverage: float | None
    assured: float | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`overall` leaves out schema hygiene, which says nothing about how secure a source is."""

    overall: Coverage
    categories: dict[str, Coverage]


_WEIGHTS = {Severity.CRITICAL: 10, Severity.HIGH: 5, Severity.MEDIUM: 3, Severity.LOW: 1, Severity.INFO: 0}


def coverage_of(results: Sequence[CheckResult]) -> Coverage:
    """The figures of these checks; see `Coverage` for how they are computed."""
    return _coverage((result.check.severity, result.outcome) for result in results)


def figures_of(judged: Sequence[tuple[Category, Severity, Outcome]]) -> Figures:
    """The figures of all and of each category that has a check."""
    categories = {
        category.value: _coverage((severity, outcome) for its, severity, outcome in judged if its is category)
        for category in Category
        if any(its is category for its, _, _ in judged)
    }
    rated = ((severity, outcome) for its, severity, outcome in judged if its is not Category.SCHEMA_HYGIENE)
    return Figures(overall=_coverage(rated), categories=categories)


def _coverage(judged: Iterable[tuple[Severity, Outcome]]) -> Coverage:
    counts = dict.fromkeys(Outcome, 0)
    weights = dict.fromkeys(Outcome, 0)
    for severity, outcome in judged:
        counts[outcome] += 1
        weights[outcome] += _WEIGHTS[severity]
    weight = weights[Outcome.PASS] + weights[Outcome.FAIL]
    unseen = weights[Outcome.NOT_EVALUATED] + weights[Outcome.ERROR]
    evaluated = counts[Outcome.PASS] + counts[Outcome.FAIL]
    applicable = sum(counts.values()) - counts[Outcome.NOT_APPLICABLE]
    return Coverage(
        passed=counts[Outcome.PASS],
        failed=counts[Outcome.FAIL],
        not_evaluated=counts[Outcome.NOT_EVALUATED],
        not_applicable=counts[Outcome.NOT_APPLICABLE],
        errors=counts[Outcome.ERROR],
        score=_percent(weights[Outcome.PASS], weight),
        coverage=10_000 * evaluated // applicable / 10_000 if applicable else None,
        assured=_percent(weights[Outcome.PASS], weight + unseen),
    )


def _percent(part: int, whole: int) -> float | None:
    return 1_000 * part // whole / 10 if whole else None
