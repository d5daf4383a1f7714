"""What a reader answers: a result, and on what and where it was computed."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from handlers.analytics.tasks import ColumnRead, Ran, RowsRead

T = TypeVar("T")


class AnswerState(StrEnum):
    """`partial`: not all of the rows or the parts that were asked for; what is missing is said where it is.

    `computing`: it is being computed; ask again. `failed`: there is no result, and `error` says why.
    """

    DONE = "done"
    PARTIAL = "partial"
    COMPUTING = "computing"
    FAILED = "failed"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no result: a word for programs, a sentence for people."""

    code: str
    message: str


class Computed(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The result of an analysis of one dataset, and how it came about.

    `may_tell_values`: there may be values of columns in the result. `lasts`: asked again of the same content, it would
    come to the same; not so where a source broke or time ran out.
    """

    state: AnswerState
    rows: RowsRead
    columns: list[ColumnRead]
    ran: list[Ran]
    notes: list[str]
    result: T | None = None
    error: Failure | None = None
    lasts: bool = True
    may_tell_values: bool = False
