"""Times that are kept as texts, as SQLite has no others."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from analysis.frames import Frame, FrameColumn, Role

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?", re.ASCII)


def with_time(frame: Frame, name: str) -> Frame:
    """The frame with this column as times, if all its texts are times of ISO 8601 without a zone; else as it was."""
    if name not in frame.names:
        return frame
    told = _as_times(frame.column(name))
    return replace(frame, columns=tuple(told if column.name == name else column for column in frame.columns))


def _as_times(column: FrameColumn) -> FrameColumn:
    levels = [] if column.role is not Role.CATEGORY or column.levels is None else column.levels.tolist()
    if not levels or not all(map(_ISO.fullmatch, levels)):
        return column
    try:
        stamps = np.array(levels, dtype="datetime64[us]")
    except ValueError:  # the 31st of February
        return column
    values = np.where(column.values >= 0, stamps[column.values], np.datetime64("NaT", "us"))
    return replace(column, role=Role.TIME, values=values, levels=None)
