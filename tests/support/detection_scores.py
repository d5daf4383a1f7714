"""What detections found of known attacks, and what they told of that was none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from analysis.detections.engine import BY_ID, RULES, Detected
from analysis.detections.events import SECOND


class KnownAttack(Protocol):
    """An attack: the detection that should find it, when it began, and the ids of its events."""

    @property
    def rule(self) -> str: ...
    @property
    def begins(self) -> int: ...
    @property
    def ids(self) -> frozenset[str]: ...


@dataclass
class Score:
    """Of one detection: its attacks, those it found with how many seconds after their beginning, those that any
    detection found, and the alerts with no event of an attack behind them."""

    rule: str
    attacks: int = 0
    delays: list[float] = field(default_factory=list)
    found_by_any: int = 0
    false: int = 0


@dataclass
class Scores:
    """`grave` are the false alarms of high severity and above."""

    of: list[Score]
    grave: int

    @property
    def false(self) -> int:
        return sum(each.false for each in self.of)


def scored(attacks: Sequence[KnownAttack], found: Iterable[Detected]) -> Scores:
    """An alert is true when the event that raised it or one behind it is of an attack."""
    attack_of = {id_: number for number, attack in enumerate(attacks) for id_ in attack.ids}
    scores = {rule.id: Score(rule.id) for rule in RULES}
    grave = 0
    first: dict[int, dict[str, int]] = defaultdict(dict)
    for each in found:
        ids = (each.trigger.id, *(behind.id for behind in each.events))
        touched = {attack_of[id_] for id_ in ids if id_ in attack_of}
        for number in touched:
            first[number].setdefault(each.rule, each.at)
        if each.is_new and not touched:
            scores[each.rule].false += 1
            grave += each.severity in ("high", "critical")
    for number, attack in enumerate(attacks):
        score = scores[attack.rule]
        score.attacks += 1
        score.found_by_any += bool(first[number])
        if attack.rule in first[number]:
            score.delays.append((first[number][attack.rule] - attack.begins) / SECOND)
    return Scores([scores[rule.id] for rule in RULES], grave)


def table(scores: Scores, days: float) -> list[str]:
    """A row for each detection."""
    rows = [
        "| id | detection | found by it | found by any | until it is due, median (longest) | false alarms a day |",
        "|---|---|---|---|---|---|",
    ]
    for each in scores.of:
        delays = sorted(each.delays)
        delay = f"{_duration(delays[len(delays) // 2])} ({_duration(delays[-1])})" if delays else "-"
        recall = f"{len(delays)} of {each.attacks}" if each.attacks else "no attack"
        by_any = f"{each.found_by_any} of {each.attacks}" if each.attacks else "-"
        title = BY_ID[each.rule].title
        rows.append(f"| {each.rule} | {title} | {recall} | {by_any} | {delay} | {each.false / days:.2f} |")
    return rows


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
