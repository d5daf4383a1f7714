"""What all questions of a dataset have in common, as clients send them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.names import RowId

_NAME = r"^[^\x00]+$(?!\n)"
ColumnName = Annotated[str, Meta(min_length=1, max_length=2000, pattern=_NAME)]
Columns = Annotated[
    list[ColumnName],
    Meta(max_length=10_000, description="Columns to look at, all of them where none is named.", examples=[["amount"]]),
]
Rows = Annotated[
    int,
    Meta(
        ge=1,
        le=10_000_000,
        description="How many rows are read at most; of more, a sample by chance. What suits the source if not said.",
    ),
]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1, description="Of everything by chance: the same seed, the same answer.")]
Seconds = Annotated[float, Meta(ge=1, le=600, description="How long it may take, reading included.")]
Wait = Annotated[
    float,
    Meta(
        ge=0,
        le=60,
        description="How many seconds to wait for the answer; after these it is `computing`: ask again.",
    ),
]
Level = Annotated[float, Meta(ge=0.5, le=0.999, description="Of intervals, such as 0.95.")]

# What does not change the answer, only when it is there.
_NOT_ASKED = ("dataset_id", "wait", "seconds")
# What is said to all analyses alike; the rest are options of one.
_COMMON = (*_NOT_ASKED, "columns", "rows", "seed")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """About a dataset of the catalog, by its id."""

    dataset_id: RowId
    columns: Columns | None = None
    rows: Rows | None = None
    seed: Seed = 0
    seconds: Seconds = 60.0
    wait: Wait = 25.0


def asked(question: Question) -> dict[str, Any]:
    """What the answer depends on, besides the dataset's content."""
    plain = msgspec.to_builtins(question)
    return {name: value for name, value in plain.items() if name not in _NOT_ASKED}


def options_of(question: Question) -> dict[str, Any]:
    """The parameters that only this kind of question has."""
    plain = msgspec.to_builtins(question)
    return {name: value for name, value in plain.items() if name not in _COMMON}
