"""Suspicious texts: stand-ins for null, one category written in several ways, numbers kept as text."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from analysis.columns import Array, Kind
from analysis.frames import FrameColumn, Role
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Query, Value
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials, share_of

# As people and programs write that there is nothing, in lower case.
_STAND_INS = frozenset(
    {"", "n/a", "na", "n.a.", "#n/a", "nan", "null", "none", "nil", "unknown", "undefined", "missing", "tbd", "-", "--",
     "---", "?", "??", "???", ".", "n/d", "nd", "(null)", "(blank)", "<null>", "xxx", "test", "dummy", "not available",
     "no data"}
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?([eE][+-]?\d+)?")
_BETWEEN = re.compile(r"(?<=\w)[\s._-]+(?=\w)|[\s._]+")
_MOST_LEVELS = 50_000
_LEAST_SHARE_OF_NUMBERS = 0.9


def find(subjects: Subjects, trials: Trials) -> None:
    for column in subjects.frame.of_role(Role.CATEGORY):
        if column.levels is None or column.kind is Kind.BOOLEAN or not 0 < len(column.levels) <= _MOST_LEVELS:
            continue
        subjects.check()
        levels = [str(level) for level in column.levels]
        counts = np.bincount(column.values[column.values >= 0], minlength=len(levels))
        stand_ins = [place for place in _nothings(levels) if counts[place]]
        rest = len([place for place in np.flatnonzero(counts) if place not in set(stand_ins)])
        if stand_ins and rest:
            trials.add(_stand_ins(subjects, column, levels, counts, stand_ins))
        variants = _variants(levels, counts)
        if variants:
            trials.add(_written_differently(subjects, column, levels, counts, variants))
        _numbers_as_text(subjects, column, levels, counts, set(stand_ins), trials)


def _nothings(levels: list[str]) -> list[int]:
    """Places of texts that stand for nothing; NA and ND are codes of a country and a state among others as short."""
    found = [place for place, text in enumerate(levels) if text.strip().lower() in _STAND_INS]
    codes = sum(len(text) == 2 and text.isalpha() and text.isupper() for text in levels)
    if 2 * codes > len(levels):
        found = [place for place in found if not (len(levels[place]) == 2 and levels[place].isalpha())]
    return found


def _trial(
    subjects: Subjects, kind: str, column: FrameColumn, rows: int, strength: float, told: Told, *which: str
) -> Trial:
    impact = max(0.5, share_of(rows, subjects.rows))
    return Trial(kind, (column.name,), None, strength, impact, subjects.rows, which, (kind, column.name), lambda: told)


def _stand_ins(subjects: Subjects, column: FrameColumn, levels: list[str], counts: Array, found: list[int]) -> Trial:
    rows = int(counts[found].sum())
    names = wording.listed([wording.quoted(levels[place]) for place in found[:5]])
    stands = "stands" if len(found) == 1 else "stand"
    sentence = (
        f"{names} in {column.name} probably {stands} for null: {wording.count(rows, 'row')} of {subjects.rows:,} "
        f"({wording.percent(share_of(rows, subjects.rows))})."
    )
    told = _told(
        column, sentence, rows, [levels[place] for place in found], [int(counts[place]) for place in found], "text list"
    )
    return _trial(subjects, "null_stand_in", column, rows, 0.7, told)


def _told(
    column: FrameColumn, sentence: str, rows: int, names: Sequence[str], counts: Sequence[int], method: str
) -> Told:
    values: list[Value] = list(names[:20])
    return Told(
        sentence,
        {"rows": Number(value=rows, unit="count"), "values": Number(value=len(names), unit="count")},
        method,
        Query(where=[Condition(column=column.name, operator="in", value=values)], limit=100),
        charts.bars(
            f"Rows by value of {column.name}",
            [wording.shortened(name) for name in names],
            list(counts),
            set(range(len(names))),
            "rows",
            column.name,
        ),
    )


def plain_form(text: str) -> str:
    """What different ways to write one thing have in common: case, spaces, full stops, hyphens and accents aside.

    A minus at either end is a sign: A- is no A, and -inf no inf.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _BETWEEN.sub(" ", bare).strip(" .").casefold()


def _variants(levels: list[str], counts: Array) -> list[list[int]]:
    """Levels that are one in their plain form, the most frequent first; none where most of the column is unique."""
    there = np.flatnonzero(counts)
    if len(there) > counts.sum() / 2:
        return []
    groups: dict[str, list[int]] = defaultdict(list)
    for place in there:
        form = plain_form(levels[place])
        if any(character.isalpha() for character in form):
            groups[form].append(int(place))
    found = [sorted(group, key=lambda place: -int(counts[place])) for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: -int(counts[group].sum()))


def _written_differently(
    subjects: Subjects, column: FrameColumn, levels: list[str], counts: Array, variants: list[list[int]]
) -> Trial:
    rows = int(sum(counts[group[1:]].sum() for group in variants))
    first = variants[0]
    names = wording.listed([f"'{levels[place]}' ({int(counts[place]):,})" for place in first[:4]])
    more = f", and so are {wording.count(len(variants) - 1, 'other value')}" if len(variants) > 1 else ""
    if len(variants) == 2:
        more = ", and so is 1 other value"
    verb = "differs" if rows == 1 else "differ"
    sentence = (
        f"One value of {column.name} is written in several ways: {names}{more}; {wording.count(rows, 'row')} of "
        f"{subjects.rows:,} {verb} from the usual form."
    )
    rare = [place for group in variants for place in group[1:]]
    shown = [place for group in variants for place in group][:20]
    values: list[Value] = [levels[place] for place in rare[:20]]
    told = Told(
        sentence,
        {
            "rows": Number(value=rows, unit="count"),
            "values": Number(value=len(variants), unit="count"),
            "spellings": Number(value=sum(map(len, variants)), unit="count"),
        },
        "equal apart from case, white space, punctuation and accents",
        Query(where=[Condition(column=column.name, operator="in", value=values)], limit=100),
        charts.bars(
            f"Spellings in {column.name}",
            [
                repr(wording.shortened(levels[place])) if levels[place] != levels[place].strip() else levels[place]
                for place in shown
            ],
            [int(counts[place]) for place in shown],
            {number for number, place in enumerate(shown) if place in set(rare)},
            "rows",
            column.name,
        ),
    )
    return _trial(subjects, "spelling_variants", column, rows, 0.8, told, plain_form(levels[first[0]]))


def _visible(text: str) -> str:
    """In quotes where white space at its ends would not be seen."""
    return wording.shortened(text) if text == text.strip() else f"'{wording.shortened(text)}' (padded)"


def _numbers_as_text(
    subjects: Subjects, column: FrameColumn, levels: list[str], counts: Array, stand_ins: set[int], trials: Trials
) -> None:
    """Numbers, all but a few: codes with leading zeros are none."""
    there = [int(place) for place in np.flatnonzero(counts) if int(place) not in stand_ins]
    numbers = [place for place in there if _NUMBER.fullmatch(levels[place].strip())]
    if not numbers or any(len(levels[p].strip()) > 1 and re.match(r"0\d", levels[p].strip()) for p in numbers):
        return
    rows, whole = int(counts[numbers].sum()), int(counts[there].sum())
    if rows < max(10, _LEAST_SHARE_OF_NUMBERS * whole) or len(numbers) < 5:
        return
    others = [place for place in there if place not in set(numbers)]
    except_for = f"; not so {wording.listed([wording.quoted(levels[place]) for place in others[:3]])}" if others else ""
    sentence = (
        f"{column.name} holds numbers as text: {wording.count(rows, 'row')} of {whole:,} "
        f"({wording.percent(rows / whole)}){except_for}."
    )
    names = [levels[place] for place in (others or numbers)[:20]]
    told = _told(
        column, sentence, rows, names, [int(counts[levels.index(name)]) for name in names], "pattern of numbers"
    )
    trials.add(_trial(subjects, "numbers_as_text", column, rows, 0.6, told))
