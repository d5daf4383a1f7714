"""What came of a dataset, and of a scan as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from storage import runs, scans


class DatasetState(StrEnum):
    """What became of a dataset in a scan; `skipped` is one that was not begun, as the scan ended before."""

    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"


class ScanError(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, in a word for programs and a sentence for people."""

    code: str
    message: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How it was found out whether the dataset changed.

    `method` is watermark, statistics, row_versions, update_time, checksum, file, row_count or none; `blind_to` says
    what the method does not see. `compared_with` is the scan with which it was compared, null where there was none.
    """

    method: str
    blind_to: str | None = None
    compared_with: int | None = None


class DatasetOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a dataset.

    `is_exact` says that all `rows` were read; otherwise they are a sample (`is_sample`), were cut off at the source's
    row cap (`is_cut`), or are those beyond the watermark `after`, told by its shape where the column is sensitive. Of
    an unchanged dataset, the results are those of the scan `results_in`.
    """

    state: DatasetState
    kind: str
    said: str
    change: Change | None = None
    rows: int = 0
    columns: int = 0
    seconds: float = 0.0
    is_exact: bool = True
    is_sample: bool = False
    is_cut: bool = False
    after: str | None = None
    sensitive_columns: int = 0
    failed_rules: int = 0
    results_in: int | None = None
    attempt: int = 1
    error: ScanError | None = None


class ScanSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan came to, in numbers. `methods` counts by which method changes were looked for."""

    datasets: Annotated[int, Meta(ge=0)] = 0
    succeeded: int = 0
    unchanged: int = 0
    failed: int = 0
    skipped: int = 0
    rows: int = 0
    sensitive_columns: int = 0
    failed_rules: int = 0
    methods: dict[str, int] = {}


def summary_of(outcomes: Iterable[DatasetOutcome], counts: dict[str, int]) -> ScanSummary:
    """`counts` has the datasets by state; those that were not done are skipped."""
    done, methods = list(outcomes), dict[str, int]()
    for outcome in done:
        if outcome.change is not None:
            methods[outcome.change.method] = methods.get(outcome.change.method, 0) + 1
    total = sum(counts.values())
    ended = [counts.get(state, 0) for state in (runs.SUCCEEDED, scans.UNCHANGED, runs.FAILED)]
    return ScanSummary(
        datasets=total,
        succeeded=ended[0],
        unchanged=ended[1],
        failed=ended[2],
        skipped=total - sum(ended),
        rows=sum(outcome.rows for outcome in done),
        sensitive_columns=sum(outcome.sensitive_columns for outcome in done),
        failed_rules=sum(outcome.failed_rules for outcome in done),
        methods=methods,
    )
