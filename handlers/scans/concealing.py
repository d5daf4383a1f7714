"""Profiles of sensitive columns, without their values: whoever may see how a column looks need not see who is in it.
The same goes for the last value that a scan saw of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from analysis.columns import Kind
from analysis.profile.figures import ColumnProfile, NumberFigures, TimeFigures
from analysis.sensitive.classify import classify_name
from analysis.sensitive.findings import Finding
from analysis.sensitive.masking import masked
from connectors.datasets import Watermark
from handlers.scans.tasks import Marker


def concealed(profile: ColumnProfile, findings: Sequence[Finding]) -> ColumnProfile:
    """The profile; where there are findings, values are shown by their shape only.

    What counts and lengths and formats say stays. Of numbers and times, everything goes that is or tells a value.
    """
    if not findings:
        return profile
    titles = ", ".join(dict.fromkeys(finding.title for finding in findings))
    changes: dict[str, Any] = {
        "top": [msgspec.structs.replace(one, value=masked(str(one.value))) for one in profile.top],
        "notes": [*profile.notes, f"values are not shown, as the column may hold: {titles}"],
    }
    if profile.numbers is not None:
        changes["numbers"] = _without_values(profile.numbers)
    if profile.times is not None:
        changes["times"] = _without_moments(profile.times)
    return msgspec.structs.replace(profile, **changes)


def _without_values(figures: NumberFigures) -> NumberFigures:
    return msgspec.structs.replace(
        figures, min=None, max=None, mean=None, std=None, sum=None, quantiles=[], histogram=None
    )


def _without_moments(figures: TimeFigures) -> TimeFigures:
    return msgspec.structs.replace(figures, min=None, max=None, quantiles=[], gaps=[])


def marked(marker: Marker, kinds: Mapping[str, Kind], findings: Mapping[str, Sequence[Finding]]) -> Marker:
    """The marker with what is known now of its column: the few rows of a later scan say less than all of the first."""
    column = marker.watermark_column
    if column is None or column not in kinds:
        return marker
    is_sensitive = bool(findings.get(column)) or bool(classify_name(column, kinds[column]))
    return msgspec.structs.replace(marker, watermark_is_sensitive=marker.watermark_is_sensitive or is_sensitive)


def told_after(after: Watermark | None, marker: Marker) -> str | None:
    """The value beyond which rows were read, which is one of a row: by its shape where it is sensitive."""
    if after is None:
        return None
    return masked(after.value) if marker.watermark_is_sensitive else after.value
