"""How well sensitive data is told from what only looks like it: `python -m benchmarks.classification`.

Writes CLASSIFICATION.md. Precision and recall by type over columns whose type is known, made from seeds and shipped in
packages; how many random ids pass each check, beside what arithmetic says; values a second of processor time.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.columns import column_of
from analysis.sensitive.classify import DETECTORS, classify_column

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from labelled_columns import Labelled, labelled_columns
from random_ids import BY_ARITHMETIC, SHAPES, random_id
from sensitive_locales import LOCALES, UNSEEN, columns_of_other_types, columns_of_people, harmless_columns
from shipped_columns import shipped_columns

SEEDS = range(100, 105)
DRAWS = 50_000
COLUMNS, ROWS = 100, 200


@dataclass
class Score:
    """Columns by type: told rightly, told wrongly, and missed; and how many columns of no type there were."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    harmless: int = 0
    accused: int = 0
    examples: list[str] = field(default_factory=list)

    def count(self, name: str, label: str | None, told: Sequence[str]) -> None:
        if label is None:
            self.harmless += 1
            self.accused += bool(told)
        else:
            (self.right if label in told else self.missed)[label] += 1
        for each in told:
            if each != label:
                self.wrong[each] += 1
                self.examples.append(f"`{name}` ({label or 'harmless'}) told as {each}")

    @property
    def precision(self) -> float:
        return _share(self.right.total(), self.right.total() + self.wrong.total())

    @property
    def recall(self) -> float:
        return _share(self.right.total(), self.right.total() + self.missed.total())

    def types(self) -> list[str]:
        return sorted({*self.right, *self.wrong, *self.missed})


def scored(columns: Iterable[Labelled]) -> Score:
    score = Score()
    for column in columns:
        score.count(column.name, column.label, told_of(column.name, column.values))
    return score


def scored_shipped() -> Score:
    score = Score()
    for column in shipped_columns():
        told = told_of(column.name, column.values, beside=column.beside)
        score.count(f"{column.table}.{column.name}", column.label, told)
    return score


def told_of(name: str, values: Sequence[object], beside: Sequence[str] = ()) -> list[str]:
    return [one.type for one in classify_column(column_of(name, values), beside=beside)]


def passing(label: str, draws: int, seed: int = 5) -> float:
    """The share of random values of the type's shape that pass its check."""
    chance = random.Random(seed)
    check = next(detector.check for detector in DETECTORS if detector.type == label)
    assert check is not None
    return sum(check(random_id(chance, label)) for _ in range(draws)) / draws


def accused_at_random(label: str, columns: int, rows: int, seed: int = 6) -> int:
    """How many columns of random ids of the type's shape, under a name that says nothing, are told as the type."""
    chance = random.Random(seed)
    return sum(label in told_of("value", [random_id(chance, label) for _ in range(rows)]) for _ in range(columns))


def bounds(passed: int, tried: int) -> tuple[float, float]:
    """Wilson's interval at 95 %."""
    if not tried:
        return 0.0, 1.0
    z, share = 1.96, passed / tried
    middle, spread = share + z * z / (2 * tried), z * math.sqrt(share * (1 - share) / tried + (z / (2 * tried)) ** 2)
    below = 1 + z * z / tried
    return max(0.0, (middle - spread) / below), min(1.0, (middle + spread) / below)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _by_type(score: Score) -> list[str]:
    rows = ["| type | columns | precision | recall | recall at 95 % |", "|---|---|---|---|---|"]
    for label in score.types():
        right, tried = score.right[label], score.right[label] + score.missed[label]
        low, high = bounds(right, tried)
        precision = _share(right, right + score.wrong[label])
        recall = f"{right / tried:.3f} | {low:.2f} to {high:.2f}" if tried else "- | -"
        rows.append(f"| {label} | {tried} | {precision:.3f} | {recall} |")
    return rows


def _summary(named: Sequence[tuple[str, Score]]) -> list[str]:
    rows = [
        "| columns | sensitive | harmless | precision | recall | harmless ones accused |",
        "|---|---|---|---|---|---|",
    ]
    for name, score in named:
        sensitive = score.right.total() + score.missed.total()
        rows.append(
            f"| {name} | {sensitive} | {score.harmless} | {f'{score.precision:.3f}' if sensitive else '-'} | "
            f"{f'{score.recall:.3f}' if sensitive else '-'} | {score.accused} |"
        )
    return rows


def _at_random() -> list[str]:
    head = "| type | shape | pass | weighed with | by arithmetic | columns told as it |"
    rows = [head, "|---|---|---|---|---|---|"]
    for label, shape in SHAPES.items():
        told = next(detector.base_rate for detector in DETECTORS if detector.type == label)
        exact = f"{BY_ARITHMETIC[label][0]:.4f}: {BY_ARITHMETIC[label][1]}" if label in BY_ARITHMETIC else ""
        share, accused = passing(label, DRAWS), accused_at_random(label, COLUMNS, ROWS)
        rows.append(f"| {label} | `{shape.replace(chr(92), '')}` | {share:.4f} | {told:g} | {exact} | {accused} |")
    return rows


def _speed(columns: Sequence[Labelled]) -> str:
    made = [column_of(column.name, column.values) for column in columns]
    began = time.process_time()
    for column in made:
        classify_column(column)
    seconds = time.process_time() - began
    values = sum(len(column.values) for column in made)
    return (
        f"{values / seconds:,.0f} values a second of one core ({len(made) / seconds:,.0f} columns), all types together."
    )


def _over_seeds(name: str, of: Iterable[Iterable[Labelled]]) -> tuple[str, Score]:
    return name, scored(column for columns in of for column in columns)


def measured() -> list[tuple[str, Score]]:
    seen = [country for country in LOCALES if country not in UNSEEN]
    return [
        _over_seeds("all types, English", (labelled_columns(seed) for seed in SEEDS)),
        _over_seeds("people of eleven countries", (columns_of_people(seen, seed) for seed in SEEDS)),
        _over_seeds("people of four more", (columns_of_people(UNSEEN, seed) for seed in SEEDS)),
        _over_seeds("rarer types", (columns_of_other_types(seed) for seed in SEEDS)),
        _over_seeds("what only looks like it", (harmless_columns(seed) for seed in SEEDS)),
        ("shipped in packages", scored_shipped()),
    ]


NOTES = """
Made columns flatter: their authors know the checks, and numbers with check digits pass them because they were made to.
What the checks are put to is in the harmless ones and in the data of packages (vega-datasets, the Titanic's passengers
in scikit-learn, authors of the installed packages), labelled by hand in tests/support/shipped_columns.py. The lists of
names were lengthened after a look at the eleven countries, so that their recall is that of what is known; for countries
nobody looked at, see the four more: there a name of a column that is not in English says nothing, and most names of
people are unknown. Before that look people of the eleven countries were told with a
recall of 0.635 and a precision of 0.829, and of the 380 harmless columns 33 were accused.
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    named = measured()
    text = ["# Classification of sensitive data, measured", "", __doc__ or "", *NOTES.strip().splitlines(), ""]
    text += [f"Seeds {SEEDS.start} to {SEEDS.stop - 1}.", "", *_summary(named), ""]
    text += [_speed([column for seed in SEEDS for column in labelled_columns(seed)]), ""]
    for name, score in named:
        text += [f"## {name[:1].upper()}{name[1:]}", ""]
        if score.types():
            text += [*_by_type(score), ""]
        wrong = Counter(score.examples)
        text += [f"- {what}, {count} times" for what, count in wrong.most_common(8)] + [""] * bool(wrong)
    text += ["## Random ids", "", f"{DRAWS:,} values of each shape, then {COLUMNS} columns of {ROWS} of them under the"]
    text += ["name `value`. 9 is a random digit, A a capital letter, C either.", "", *_at_random(), ""]
    Path(__file__).with_name("CLASSIFICATION.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
