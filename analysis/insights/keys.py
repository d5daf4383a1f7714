"""Columns that look like the key of the table: all there, all different, and not so by chance alone.

Any column of finely measured numbers is unique; a key is unique where values drawn at random from as wide a range would
have collided (the birthday problem), or where its form or its name says that it is one.
"""

from __future__ import annotations

import math
import re

import numpy as np

from analysis.columns import Kind
from analysis.frames import FrameColumn, Role
from analysis.insights import charts, wording
from analysis.insights.findings import Number, Query
from analysis.insights.subjects import NAMED_AS_KEY, Subjects
from analysis.insights.trials import Told, Trial, Trials

_LEAST_ROWS = 20
_LONGEST = 64
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_FEW_NULLS = 0.02


def find(subjects: Subjects, trials: Trials) -> None:
    if subjects.rows < _LEAST_ROWS:
        return
    for column in subjects.frame.columns:
        if column.role is Role.NUMERIC and column.kind is Kind.INTEGER:
            reason = _of_integers(column)
        elif column.role is Role.CATEGORY and column.kind is not Kind.BOOLEAN:
            reason = _of_texts(column)
        else:
            continue
        subjects.check()
        if reason is not None:
            trials.add(_trial(subjects, column, *reason))


def _of_integers(column: FrameColumn) -> tuple[str, int] | None:
    """Why, and how many values are repeated or null."""
    values = column.values if column.exact is None else column.exact
    known = values[~np.isnan(column.values)]
    flaws = len(column) - len(np.unique(known))
    if column.nulls or flaws:
        return None
    low, high = float(known.min()), float(known.max())
    collide = len(known) * (len(known) - 1) / (2.0 * max(high - low + 1.0, 1.0))
    if high - low < 2 * len(known):
        return "whole numbers with few gaps", 0
    if collide > 12.0:  # chance would have left them all different with probability e^-12
        return "all different in a range where numbers at random would repeat", 0
    return ("named as a key", 0) if NAMED_AS_KEY.search(column.name) else None


def _of_texts(column: FrameColumn) -> tuple[str, int] | None:
    assert column.levels is not None
    used = len(np.unique(column.values[column.values >= 0]))
    flaws = len(column) - used
    if flaws > _FEW_NULLS * len(column) or column.cut:
        return None
    named = NAMED_AS_KEY.search(column.name) is not None
    if flaws and not named:
        return None
    sample = [str(level) for level in column.levels[:200]]
    if max(map(len, sample)) > _LONGEST:
        return None
    if all(_UUID.fullmatch(text) for text in sample):
        return "UUIDs", flaws
    if len({re.sub(r"[A-Za-z]", "A", re.sub(r"\d+", "9", text)) for text in sample}) == 1 and any(
        character.isdigit() for character in sample[0]
    ):
        return "all of one format", flaws
    return ("named as a key", flaws) if named else None


def _trial(subjects: Subjects, column: FrameColumn, reason: str, flaws: int) -> Trial:
    kind = "likely_key" if not flaws else "broken_key"
    return Trial(
        kind,
        (column.name,),
        None,
        0.35 if not flaws else 0.9,
        1.0,
        subjects.rows,
        (),
        (kind, column.name),
        lambda: _told(subjects, column, reason, flaws),
    )


def _told(subjects: Subjects, column: FrameColumn, reason: str, flaws: int) -> Told:
    rows = wording.count(subjects.rows, "row")
    sample = " of the sample" if subjects.frame.is_sample else ""
    if flaws:
        verb = "repeats another or is null" if flaws == 1 else "repeat another or are null"
        sentence = (
            f"{column.name} looks like a key ({reason}), but {wording.count(flaws, 'row')} of {rows}{sample} {verb}."
        )
    else:
        sentence = f"{column.name} is likely a key: never null and all different in {rows}{sample} ({reason})."
    distinct = subjects.rows - flaws
    return Told(
        sentence,
        {
            "distinct": Number(value=distinct, unit="count"),
            "repeated_or_null": Number(value=flaws, unit="count"),
            "collisions_by_chance": Number(value=_collisions(column), unit="count"),
        },
        "count of different values",
        Query(columns=[column.name], order_by=column.name, limit=100),
        charts.bars(
            f"Values of {column.name}", ["different", "repeated or null"], [distinct, flaws], {1}, "rows", "values"
        ),
    )


def _collisions(column: FrameColumn) -> float | None:
    if column.role is not Role.NUMERIC:
        return None
    known = column.values[~np.isnan(column.values)]
    width = float(known.max() - known.min()) + 1.0
    expected = len(known) * (len(known) - 1) / (2.0 * width)
    return expected if math.isfinite(expected) else None
