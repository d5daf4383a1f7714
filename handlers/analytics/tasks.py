"""What a reader is asked to compute over one dataset, and what it tells besides the result itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from analysis.access_policies.views import OPEN, View

# Bumped when the same question of the same content may be answered otherwise.
ANSWERS_VERSION = 2


class AnalysisKind(StrEnum):
    """What can be asked of a dataset."""

    CORRELATIONS = "correlations"
    RELATIONSHIPS = "relationships"
    INSIGHTS = "insights"
    PREDICTIONS = "predictions"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset and one question.

    `columns` None takes all. `rows` is how many are read at most, None for what suits the source. `hidden` says by
    column why its values must not be told, `view` what whoever asks sees. `options` are what the analysis takes, by its
    own names. `related` are other datasets of the source that take part, `reference` an earlier profile (JSON,
    compressed by zlib). `seconds` is all the time there is.
    """

    kind: AnalysisKind
    dataset: str
    schema_name: str | None
    name: str
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    seed: int = 0
    seconds: float = 60.0
    hidden: dict[str, str] = {}
    options: dict[str, Any] = {}
    related: tuple[tuple[str | None, str], ...] = ()
    reference: bytes | None = None
    view: View = OPEN


class SampleBound(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sample's figures are from those of all rows, with the given confidence.

    `correlation` bounds the error of a correlation coefficient (3 / sqrt(n)), `rank` that of the rank of a quantile
    (Dvoretzky-Kiefer-Wolfowitz).
    """

    correlation: float
    rank: float
    confidence: float


class RowsRead(msgspec.Struct, frozen=True, kw_only=True):
    """On which rows it was computed: `read` of `total`.

    `method` says how they were chosen: all of them, a sample by chance, the first ones, or none where the source
    computed. `bound` is null where all rows were looked at.
    """

    read: int
    total: int | None
    total_is_estimate: bool
    is_sample: bool
    method: str
    seed: int | None
    bound: SampleBound | None


class ColumnRead(msgspec.Struct, frozen=True, kw_only=True):
    """A column as it was taken. `status`: ok, hidden, not_analysed, empty, left_out; `note` says why, in words."""

    name: str
    original: str
    role: str
    kind: str
    nulls: int
    infinities: int
    misfits: int
    cut: int
    status: str
    note: str | None


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What was computed where: at the source, or in the server over rows of it."""

    what: str
    where: str
    seconds: float
    rows: int | None
    statements: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader tells meanwhile: `share` of the work from 0 to 1, and what it is at."""

    share: float | None
    note: str
