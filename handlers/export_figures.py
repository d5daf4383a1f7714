"""How exports fare, in figures: what this process did, and how all of them stood when it last looked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How an export stands: what waits, since when, and whether attempts fail or the audit trail was tampered with."""

    behind: int
    behind_since: datetime | None
    is_failing: bool
    is_broken: bool


@dataclass(slots=True)
class ExportFigures:
    """By the export's id. `sent` and `failures` are of this process alone, `standing` is everybody's."""

    sent: Counter[int] = field(default_factory=Counter)
    failures: Counter[int] = field(default_factory=Counter)
    standing: dict[int, Standing] = field(default_factory=dict)
