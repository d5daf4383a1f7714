"""Which sensitive data a column holds.

The name gives prior odds. Different values, a thousand at most, are put to each type's check; how many pass is
compared with how many random values would (`base_rate`) and how many of a real column do (`typical`). Both together
give the probability that is told. A column of random sixteen-digit numbers passes the check of payment cards at 2 %,
which speaks against cards and not for them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import TEMPORAL, Column, Kind
from analysis.sensitive.column_names import evidence_of, places_among, words_of
from analysis.sensitive.contact_types import CONTACT_TYPES
from analysis.sensitive.detectors import Detector
from analysis.sensitive.financial_types import FINANCIAL_TYPES
from analysis.sensitive.findings import Finding, NameEvidence, ValueEvidence
from analysis.sensitive.health_types import HEALTH_TYPES
from analysis.sensitive.identity_types import IDENTITY_TYPES
from analysis.sensitive.masking import masked
from analysis.sensitive.passage_types import PASSAGE_TYPES
from analysis.sensitive.person_types import PERSON_TYPES
from analysis.sensitive.secret_types import SECRET_TYPES

DETECTORS: tuple[Detector, ...] = (
    *SECRET_TYPES,
    *FINANCIAL_TYPES,
    *IDENTITY_TYPES,
    *HEALTH_TYPES,
    *CONTACT_TYPES,
    *PERSON_TYPES,
    *PASSAGE_TYPES,
)

SAMPLE = 1000
REPORTED_FROM = 0.5

# How likely a column is of a type before its values are seen, by what its name says. Most columns are of no type.
_PRIORS = {"strong": 0.6, "weak": 0.1, "nothing": 0.01, "against": 0.002}

# A type that values cannot tell is told by a strong name alone, and less surely than with values.
_BY_NAME = {"strong": 0.7}

# Of the share that a real column has: with less than that, a column contains values of the type and is not of it.
_IS_FROM = 0.6
_CONTAINS_FROM = 0.1
# Of a check that next to no other value passes one in a hundred is enough: what a column contains, its profile hides.
_RARE_RATE = 1e-3
_RARE_CONTAINS_FROM = 0.01
_SURE_RATE = 0.025
_CONTAINS_TAIL = -6.0  # log10 of the chance that base-rate values would pass so often
_EXAMPLES = 3
_MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class _Candidate:
    finding: Finding
    weight: float
    matched: frozenset[int]


def classify_column(
    column: Column, *, beside: Iterable[str] = (), seed: int = 0, sample: int = SAMPLE
) -> list[Finding]:
    """The findings of a column, the most certain first. `seed` decides which values are looked at.

    `beside` are the names around it, of its table and the table's columns: where they tell of places and of no people,
    as in a table of airports, coordinates are no personal data.
    """
    is_of_places = bool(places_among(beside))
    values = _sampled(column, random.Random(seed), sample)  # noqa: S311 - a sample, no secret
    rows = column.rows - column.nulls
    found = []
    for detector in DETECTORS:
        if is_of_places and detector.of_places:
            continue
        if column.kind in detector.kinds and (values or detector.check is None):
            candidate = _judged(detector, column.name, values, rows)
            if candidate is not None:
                found.append(candidate)
    return _without_shadows(found)


def classify_name(name: str, kind: Kind) -> list[Finding]:
    """What a name alone says, where values may not be read."""
    found = []
    for detector in DETECTORS:
        evidence = evidence_of(name, detector.strong, detector.weak)
        if kind in detector.kinds and evidence.says == "strong":
            found.append(_Candidate(_by_name(detector, evidence, rows=0), 0.0, frozenset()))
    return _without_shadows(found)


def _sampled(column: Column, chance: random.Random, size: int) -> list[str]:
    different = list(dict.fromkeys(_texts(column)))
    return different if len(different) <= size else chance.sample(different, size)


def _texts(column: Column) -> Iterable[str]:
    match column.kind:
        case Kind.BOOLEAN | Kind.BINARY:
            return ()
        case Kind.DECIMAL if column.scale:
            return (f"{int(value) / 10**column.scale}" for value in column.values)
        case kind if kind in TEMPORAL:
            return (str(value) for value in column.values.astype("datetime64[D]"))
        case Kind.FLOAT:
            return (repr(value) for value in column.values[np.isfinite(column.values)].tolist())
        case Kind.INTEGER | Kind.DECIMAL:
            return map(str, column.values.tolist())
        case _:
            return (stripped[:_MOST_CHARACTERS] for value in column.values if (stripped := value.strip()))


def _judged(detector: Detector, name: str, values: Sequence[str], rows: int) -> _Candidate | None:
    evidence = evidence_of(name, detector.strong, detector.weak)
    if detector.needs_name and evidence.says != "strong":
        return None
    if evidence.says != "strong" and not detector.unlike.isdisjoint(words_of(name)):
        return None
    check = detector.check_for(evidence.says)
    if check is None:
        return _Candidate(_by_name(detector, evidence, rows), 0.0, frozenset()) if evidence.says == "strong" else None
    matched = [place for place, value in enumerate(values) if check(value)]
    if not matched:
        return None
    found = _value_evidence(detector, len(values), len(matched))
    prior = _PRIORS[evidence.says]
    weight = math.log10(prior / (1 - prior)) + found.log10_likelihood_ratio
    confidence, verdict = _probability(weight), "is"
    if found.share < _IS_FROM * detector.typical or confidence < REPORTED_FROM:
        if not _contains(detector, evidence, found) or not _beyond_its_like(detector, values, len(matched)):
            return None
        verdict, confidence = "contains", max(0.5, min(0.99, 1 - detector.base_rate / found.share))
    finding = Finding(
        type=detector.type,
        title=detector.title,
        category=detector.category,
        verdict=verdict,  # type: ignore[arg-type]
        confidence=round(confidence, 4),
        how=_said(evidence, found, prior, verdict),
        sampled=len(values),
        rows=rows,
        name=evidence,
        values=found,
        examples=list(dict.fromkeys(masked(values[place]) for place in matched))[:_EXAMPLES],
    )
    return _Candidate(finding, weight if verdict == "is" else weight - 1000, frozenset(matched))


def _value_evidence(detector: Detector, tested: int, matched: int) -> ValueEvidence:
    ratio = matched * math.log10(detector.typical / detector.base_rate)
    ratio += (tested - matched) * math.log10((1 - detector.typical) / (1 - detector.base_rate))
    return ValueEvidence(
        tested=tested,
        matched=matched,
        share=matched / tested,
        base_rate=detector.base_rate,
        typical=detector.typical,
        log10_likelihood_ratio=round(min(ratio, detector.most_evidence), 2),
    )


def _contains(detector: Detector, evidence: NameEvidence, found: ValueEvidence) -> bool:
    """Whether some of the values are of the type beyond chance, as cards among the lines of a note."""
    if detector.base_rate > _SURE_RATE or detector.most_evidence < 3 or evidence.says == "against":
        return False  # its check is too weak to tell a few values from chance
    least = _RARE_CONTAINS_FROM if detector.base_rate <= _RARE_RATE else _CONTAINS_FROM
    enough = found.share >= least and found.share >= 3 * detector.base_rate
    return enough and found.matched >= 3 and log10_tail(found.tested, found.matched, found.base_rate) < _CONTAINS_TAIL


def _beyond_its_like(detector: Detector, values: Sequence[str], matched: int) -> bool:
    """Whether more pass than chance would let pass of the values that are like the type: order numbers of sixteen
    digits that all begin with a four pass as cards ten times in a hundred."""
    if detector.among is None:
        return True
    like = sum(map(detector.among, values))
    return matched >= 3 * detector.rate_among * like and log10_tail(like, matched, detector.rate_among) < _CONTAINS_TAIL


def log10_tail(tested: int, matched: int, rate: float) -> float:
    """A bound on log10 of the chance that so many or more of `tested` pass at this rate (Chernoff's)."""
    share = matched / tested
    if share <= rate:
        return 0.0
    distance = share * math.log(share / rate)
    if share < 1:
        distance += (1 - share) * math.log((1 - share) / (1 - rate))
    return -tested * distance / math.log(10)


def _probability(log10_odds: float) -> float:
    odds: float = 10.0 ** min(log10_odds, 15.0)
    return odds / (1.0 + odds)


def _by_name(detector: Detector, evidence: NameEvidence, rows: int) -> Finding:
    return Finding(
        type=detector.type,
        title=detector.title,
        category=detector.category,
        verdict="by name",
        confidence=_BY_NAME["strong"],
        how=f"the name says {' '.join(evidence.words)!r}; no value was looked at",
        sampled=0,
        rows=rows,
        name=evidence,
        values=None,
        examples=[],
    )


def _said(evidence: NameEvidence, found: ValueEvidence, prior: float, verdict: str) -> str:
    says = {
        "strong": f"the name says {' '.join(evidence.words)!r}",
        "weak": f"the name says {' '.join(evidence.words)!r}, which may mean it",
        "nothing": "the name says nothing of it",
        "against": f"the name says {' '.join(evidence.words)!r}, and {' '.join(evidence.against)!r} against it",
    }[evidence.says]
    passed = f"{found.matched} of {found.tested} different values pass, of random ones {found.base_rate:.4g}"
    if verdict == "contains":
        return f"{passed}: too few for a column of it, too many for chance"
    return f"{says} (prior {prior:g}); {passed} (likelihood ratio 1e{found.log10_likelihood_ratio:+.1f})"


def _without_shadows(found: list[_Candidate]) -> list[Finding]:
    """Without what another type explains better: the same values, by a check that fewer random ones pass."""
    kept: list[_Candidate] = []
    for candidate in sorted(found, key=lambda one: -one.weight):
        if not any(_explained(candidate, better) for better in kept):
            kept.append(candidate)
    return [candidate.finding for candidate in kept]


def _explained(candidate: _Candidate, better: _Candidate) -> bool:
    if candidate.finding.type == better.finding.type:
        return True
    if not candidate.matched:
        return False
    return len(candidate.matched & better.matched) >= len(candidate.matched) / 2
