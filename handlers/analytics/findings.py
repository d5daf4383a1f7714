"""What in an answer is a finding: told apart by what it is about, so that it is known again in a later answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from analysis.associations.results import AssociationMatrix, Pair, Status
from analysis.insights.findings import Insights
from analysis.relationships.findings import Relationships
from handlers.analytics.answers import Analysis
from handlers.analytics.tasks import AnalysisKind

# What holds in every row, and needs no test.
_CERTAIN = (Status.DUPLICATE, Status.DETERMINISTIC)
# The parts of an answer on relationships, and which members of theirs say what a finding is about.
_RELATIONSHIPS: Mapping[str, tuple[str, ...]] = {
    "foreign_keys": ("child", "parent"),
    "dependencies": ("dataset", "determinant", "dependent"),
    "unique": ("dataset", "columns"),
    "duplicate_rows": ("dataset", "columns"),
    "duplicate_columns": ("dataset", "columns"),
    "derived": ("dataset", "column", "formula"),
    "joinable": ("left", "right"),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was found. `fingerprint` is the same in every answer that finds it; `figures` may differ."""

    fingerprint: str
    type: str
    title: str
    figures: dict[str, float | str | bool | None]


def findings_of(answer: Analysis[Any]) -> dict[str, Finding]:
    """By fingerprint, in the answer's order; none where there is no result."""
    if answer.result is None:
        return {}
    found = _FOUND[answer.kind](answer.result) if answer.kind in _FOUND else ()
    return {finding.fingerprint: finding for finding in found}


def has_findings(kind: AnalysisKind) -> bool:
    """Whether answers of this kind have findings, to be compared and judged."""
    return kind in _FOUND


def is_changed(before: Finding, after: Finding) -> bool:
    """Whether a finding is another now: by its interval where it has one, else by what its sentence tells."""
    low, high, again_low, again_high = (
        figures.get(name) for figures in (before.figures, after.figures) for name in ("low", "high")
    )
    bounds = (low, high, again_low, again_high)
    if all(isinstance(bound, float | int) for bound in bounds):
        return bool(low > again_high or again_low > high)  # type: ignore[operator]
    # Sentences are rounded as people read them; where there is none, figures are all that is told.
    return before.title != after.title or (before.type in _RELATIONSHIPS and before.figures != after.figures)


def fingerprint(*parts: object) -> str:
    """A short name for what a finding is about."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:24]


def _of_pairs(matrix: AssociationMatrix) -> Iterable[Finding]:
    level = 1 - matrix.level
    for pair in matrix.pairs:
        if pair.status in _CERTAIN or (pair.status is Status.OK and pair.q is not None and pair.q <= level):
            yield Finding(
                fingerprint=fingerprint("pair", pair.method.value, *sorted((pair.a, pair.b))),
                type=pair.status.value,
                title=_told(pair),
                figures={"effect": pair.effect, "low": pair.low, "high": pair.high, "q": pair.q, "n": pair.n},
            )


def _told(pair: Pair) -> str:
    if pair.relation is not None:
        return f"{pair.a} and {pair.b}: {pair.relation.value.replace('_', ' ')} in all {pair.n} rows that have both"
    effect = "" if pair.effect is None else f" {pair.effect:.3f}"
    interval = "" if pair.low is None or pair.high is None else f" ({pair.low:.3f} to {pair.high:.3f})"
    return f"{pair.a} and {pair.b}: {pair.method.value.replace('_', ' ')}{effect}{interval}"


def _of_relationships(found: Relationships) -> Iterable[Finding]:
    for part, members in _RELATIONSHIPS.items():
        for each in getattr(found, part):
            plain = msgspec.to_builtins(each)
            about = [plain[member] for member in members]
            figures: dict[str, float | str | bool | None] = {
                name: value for name, value in plain.items() if isinstance(value, bool | int | float) and name != "of"
            }
            yield Finding(
                fingerprint=fingerprint(part, *about),
                type=part,
                title=f"{part.replace('_', ' ')}: {' / '.join(map(_name, about))}",
                figures=figures,
            )


def _of_insights(found: Insights) -> Iterable[Finding]:
    for insight in found.insights:
        figures: dict[str, float | str | bool | None] = {
            "score": insight.score,
            "q": insight.q,
            "n": insight.n,
            **{name: number.value for name, number in insight.numbers.items()},
        }
        yield Finding(fingerprint=insight.id, type=insight.type, title=insight.sentence, figures=figures)


def _name(about: Any) -> str:
    if isinstance(about, dict):
        return ".".join(map(str, about.values()))
    return ", ".join(map(str, about)) if isinstance(about, list | tuple) else str(about)


_FOUND: Mapping[AnalysisKind, Callable[[Any], Iterable[Finding]]] = {
    AnalysisKind.CORRELATIONS: _of_pairs,
    AnalysisKind.RELATIONSHIPS: _of_relationships,
    AnalysisKind.INSIGHTS: _of_insights,
}
