"""Profiles of sensitive columns, without their values: whoever may see how a column looks need not see who is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from analysis.profile.figures import ColumnProfile, NumberFigures, TimeFigures
from analysis.sensitive.findings import Finding
from analysis.sensitive.masking import masked


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
