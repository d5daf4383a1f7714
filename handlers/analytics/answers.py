"""Answers as clients see them, and the ways from what was computed and stored to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from handlers.analytics.computed import AnswerState, Computed, Failure
from handlers.analytics.tasks import AnalysisKind, ColumnRead, Ran, RowsRead
from handlers.analytics.versions import Version
from handlers.names import RowId
from handlers.registry import Instant
from storage import analytics

T = TypeVar("T")


class Decision(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    DISMISSED = "dismissed"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said of a finding; it holds for later answers that find the same."""

    fingerprint: str
    verdict: Decision
    reason: str
    decided_by: str
    decided_at: Instant


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the computation is: `share` from 0 to 1, null where nobody knows; it runs for `seconds`."""

    share: float | None
    note: str | None
    seconds: float


class Analysis(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The answer to a question about a dataset.

    While it is `computing`, there are `progress` and `feed`, where it is told as well, and no result: ask again with
    the same parameters. `version` is the content that the answer is about; where that has changed since and the new
    answer is not there yet, `is_outdated`. `cached`: it was computed before, at `computed_at`, within `seconds`.
    `rows`, `columns`, `ran` and `notes` say on what, where and how. `result_id` finds it among the stored results.
    `may_tell_values`: values of columns may be in it, those of `hidden` columns never. `row_view` names the rows that
    it is about, where access policies keep some back from whoever asked; null for all. `rephrased` has sentences of
    insights in other words, by their ids; `verdicts` are what people said of findings.
    """

    kind: AnalysisKind
    dataset_id: RowId
    dataset: str
    workspace_id: str
    state: AnswerState
    cached: bool
    is_outdated: bool
    version: Version
    feed: str
    result_id: RowId | None = None
    computed_at: Instant | None = None
    seconds: float | None = None
    progress: Progress | None = None
    rows: RowsRead | None = None
    columns: list[ColumnRead] = []
    ran: list[Ran] = []
    notes: list[str] = []
    may_tell_values: bool = False
    row_view: str | None = None
    rephrased: dict[str, str] = {}
    verdicts: list[Verdict] = []
    error: Failure | None = None
    result: T | None = None


def shown_verdict(row: analytics.Verdict) -> Verdict:
    return Verdict(
        fingerprint=row.fingerprint,
        verdict=Decision(row.verdict),
        reason=row.reason,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )


def completed(answer: Analysis[Any], computed: Computed[Any], seconds: float, computed_at: Instant) -> Analysis[Any]:
    """The answer with what was computed for it."""
    return msgspec.structs.replace(
        answer,
        state=computed.state,
        seconds=round(seconds, 3),
        computed_at=computed_at,
        rows=computed.rows,
        columns=computed.columns,
        ran=computed.ran,
        notes=computed.notes,
        may_tell_values=computed.may_tell_values,
        error=computed.error,
        result=computed.result,
    )
