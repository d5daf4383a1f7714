"""Which trials hold, in which order, and which of them say the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.insights.findings import Also
from analysis.insights.trials import Trial, Trials, joined
from analysis.significance import adjusted

_OF_TOTALS = frozenset({"outstanding_first", "outstanding_top_two", "outstanding_last", "attribution", "evenness"})
# Correlations that hand on: where both steps of a chain are as close, its ends are related, too.
_CLOSE = 0.7


@dataclass(slots=True)
class Ranked:
    """A trial that holds, with its q-value (None of a fact), its score and the others that say the same."""

    trial: Trial
    q: float | None
    significance: float
    also: list[Also] = field(default_factory=list)

    @property
    def score(self) -> float:
        return self.trial.impact * self.significance


def ranked(trials: Trials, level: float) -> list[Ranked]:
    """Those that hold at this false discovery rate over all that were tested, and the facts; the best first."""
    tested = [trial for trial in trials.holding if trial.p is not None]
    chances = np.array([trial.p for trial in tested] + [1.0] * trials.failed, dtype=np.float64)
    q_values = adjusted(chances)[: len(tested)]
    found = [
        Ranked(trial, float(q), (1.0 - float(q)) * trial.strength)
        for trial, q in zip(tested, q_values, strict=True)
        if q <= level
    ]
    found += [Ranked(trial, None, trial.strength) for trial in trials.holding if trial.p is None]
    return sorted(found, key=lambda one: (-one.score, one.trial.type, one.trial.columns, joined(one.trial.subspace)))


def collapsed(found: Sequence[Ranked]) -> list[Ranked]:
    """One for each fact: what holds for all rows says what its parts say, and the stronger type says the weaker's."""
    kept: dict[tuple[str, ...], Ranked] = {}
    chains: dict[str, Ranked] = {}
    for one in sorted(found, key=_plainness):
        fact = one.trial.fact
        first = kept.get(fact) or next((kept[near] for near in _neighbours(fact) if near in kept), None)
        first = first or _chained(one, chains)
        if first is None:
            kept[fact] = one
        elif len(first.also) < 20:
            first.also.append(Also(id=fingerprint(one.trial), type=one.trial.type, columns=list(one.trial.columns)))
    return sorted(kept.values(), key=lambda one: -one.score)


def _chained(one: Ranked, chains: dict[str, Ranked]) -> Ranked | None:
    """The first of a chain of close correlations that already leads from one column to the other; else joins chains.

    `chains` has, by column, the insight that its chain is told by.
    """
    if one.trial.type != "correlation" or one.trial.strength < _CLOSE:
        return None
    left, right = (chains.get(column) for column in one.trial.columns)
    if left is not None and left is right:
        return left
    lead = left or right or one
    for column in one.trial.columns:
        chains[column] = lead
    for column, told in list(chains.items()):
        if told is left or told is right:
            chains[column] = lead
    return None


def _plainness(one: Ranked) -> tuple[bool, bool]:
    """The whole before its parts; rows before totals, which follow from them."""
    return bool(one.trial.subspace), len(one.trial.columns) > 1 and one.trial.type in _OF_TOTALS


def _neighbours(fact: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Facts with a place in time next to this one's say the same."""
    if fact[0] not in ("step", "spike") or not fact[-1].isdigit():
        return []
    place = int(fact[-1])
    return [(*fact[:-1], str(place - 1)), (*fact[:-1], str(place + 1))]


def fingerprint(trial: Trial) -> str:
    """The same for the same fact, whatever its figures are: 16 hexadecimal digits."""
    parts = (trial.type, *sorted(trial.columns), "|", *joined(trial.subspace), "|", *trial.identity)
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]
