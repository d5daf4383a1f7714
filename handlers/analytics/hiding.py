"""Columns whose values must not be told: found by what a scan or people said of them, or by a look at them here.

Counts and coefficients over them stay; what would tell a value is hidden. Runs in a reader.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.columns import TEMPORAL, Column, Kind, objects
from analysis.frames import Frame, FrameColumn, Role
from analysis.sensitive.classify import classify_column, classify_name
from analysis.sensitive.masking import masked

# A classification looks at a thousand different values.
LOOKED_AT = 4_000
# On a table of thousands of columns most are told by their names.
SECONDS = 3.0
# Shapes of more different texts tell nobody anything, and take seconds.
MOST_SHAPES = 20_000
NOT_LOOKED_AT = "it could not be looked at in time whether it holds sensitive values"


def sensitive_columns(
    frame: Frame, known: Mapping[str, str], *, beside: Sequence[str] = (), seconds: float = SECONDS
) -> dict[str, str]:
    """Why, by column, for those whose values are hidden. `known` says it of some, `beside` are names around."""
    found: dict[str, str] = {}
    names = [*beside, *(column.original for column in frame.columns)]
    deadline = time.monotonic() + seconds
    for column in frame.columns:
        why = known.get(column.original) or _looked_at(column, names, in_time=time.monotonic() < deadline)
        if why is not None:
            found[column.name] = why
    return found


def hidden(frame: Frame, why: Mapping[str, str], *, keep_numbers: bool) -> Frame:
    """The frame with the values of these columns hidden.

    Texts become their shape with a number, so that equal ones stay equal. Numbers, times and truth values, whose shape
    is the value, stay where only coefficients come of them (`keep_numbers`), and else only whether they are there.
    """
    return replace(frame, columns=tuple(_hidden(column, why, keep_numbers) for column in frame.columns))


def _hidden(column: FrameColumn, why: Mapping[str, str], keep_numbers: bool) -> FrameColumn:
    if column.name not in why or column.role is Role.OTHER:
        return column
    if column.role is Role.CATEGORY and column.kind is not Kind.BOOLEAN:
        levels = [] if column.levels is None else column.levels.tolist()
        shapes = map(masked, levels) if len(levels) <= MOST_SHAPES else itertools.repeat("hidden", len(levels))
        return replace(column, levels=objects([f"{shape} #{number}" for number, shape in enumerate(shapes, 1)]))
    if keep_numbers:
        return column
    return replace(column, role=Role.OTHER, values=column.present, levels=None, exact=None)


def _looked_at(column: FrameColumn, names: Sequence[str], *, in_time: bool) -> str | None:
    if column.role is Role.OTHER or column.kind is Kind.BOOLEAN:
        return None
    if not in_time:
        named = classify_name(column.original, column.kind)
        if named:
            return named[0].title
        return NOT_LOOKED_AT if column.role is Role.CATEGORY else None
    findings = classify_column(_as_column(column), beside=names)
    return ", ".join(dict.fromkeys(finding.title for finding in findings)) or None


def _as_column(column: FrameColumn) -> Column:
    """Some of the column's values, the different ones of texts, as a classification takes them."""
    if column.role is Role.CATEGORY:
        values = objects([] if column.levels is None else column.levels[:LOOKED_AT].tolist())
    else:
        present = column.values[column.present]
        step = max(1, len(present) // LOOKED_AT)
        values = present[::step][:LOOKED_AT]
    if column.kind is Kind.INTEGER:
        values = (column.exact[column.present][::step][:LOOKED_AT] if column.exact is not None else values).astype(
            np.int64
        )
    kind = Kind.FLOAT if column.kind is Kind.DECIMAL else column.kind
    if column.role is Role.TIME and kind not in TEMPORAL:
        kind = Kind.TIMESTAMP
    return Column(column.original, kind, values, rows=len(column), nulls=column.nulls, aware=column.aware)
