"""What a profile says, as it goes into JSON: only finite numbers, and of each figure whether it is exact.

Shares are of the rows that are not null, from 0 to 1. Figures that have no value (the mean of nothing, a sum beyond
what a float holds) are null.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# Whole numbers beyond 2**53 - 1, and all decimals, are text with every digit: readers of JSON keep numbers as doubles
# and would round them. Dates and times are ISO 8601 text.
Scalar = int | float | str | bool


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """How a figure was estimated, and how far off it may be.

    `error` is in `unit`: `rank share` (the value told for a quantile p is one between p - error and p + error),
    `relative` (of the figure told), `rows` (the true count lies between the one told and that plus `error`).
    It holds with probability `confidence`; 1 means always.
    """

    sketch: Literal["kll", "kmv", "misra-gries"]
    error: float
    unit: Literal["rank share", "relative", "rows"]
    confidence: float


Basis = Literal["exact"] | Sketch
EXACT: Literal["exact"] = "exact"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A value and how often it occurs. Long text is cut to 200 characters and ends in an ellipsis."""

    value: Scalar
    count: int
    share: float


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest value that at least a share `p` of the values do not exceed (PERCENTILE_DISC of SQL)."""

    p: float
    value: Scalar


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Bin i counts values from edges[i] up to, not including, edges[i + 1]; the last bin includes its end.

    `rule` is `freedman-diaconis`, `sturges` (where half of the values are equal) or `fixed`.
    """

    rule: Literal["freedman-diaconis", "sturges", "fixed"]
    edges: list[Scalar]
    counts: list[int]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the values, nulls left out, rise or fall in the order that the rows came."""

    non_decreasing: bool
    strictly_increasing: bool
    non_increasing: bool
    strictly_decreasing: bool


class NumberFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of numbers. NaN and infinities are counted here and left out of all other figures but `distinct`.

    `std` is the sample's (n - 1), in the column's unit; `skewness` and `kurtosis` (excess: 0 for a normal
    distribution) are the population's, without unit.
    """

    nan: int
    positive_infinity: int
    negative_infinity: int
    zeros: int
    negatives: int
    whole: bool | None
    min: Scalar | None
    max: Scalar | None
    mean: float | None
    std: float | None
    skewness: float | None
    kurtosis: float | None
    sum: Scalar | None
    quantiles: list[Quantile]
    histogram: Histogram | None
    order: Order | None


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths in characters (binary: in bytes)."""

    min: int
    mean: float
    max: int
    quantiles: list[Quantile]


class Cases(msgspec.Struct, frozen=True, kw_only=True):
    """How many values are all lower case, all upper case, mixed, or without letters that have a case."""

    lower: int
    upper: int
    mixed: int
    none: int


class TextFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of text.

    `blank` counts values of white space only, the empty ones not among them; `padded` those with white space before or
    behind something else. `formats` are patterns in which A stands for an upper-case letter, a for a lower-case one, 9
    for a digit, h for each character of a run of hexadecimal digits and w for any other letter. Five equal ones or more
    are told as `9{12}`; everything else stands for itself. `types` counts values that read as each of: integer, number,
    boolean, date, timestamp, time, uuid, email, url, ip, json. A value may read as several.
    """

    empty: int
    blank: int
    padded: int
    non_ascii: int
    lengths: Lengths | None
    cases: Cases
    formats: list[Counted]
    types: dict[str, int]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Days without a value between two days with one: `days` of them, after `after` and before `before` (ISO dates)."""

    after: str
    before: str
    days: int


class TimeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of dates and timestamps; all are UTC where `aware`, else in the zone the source meant.

    `granularity` is the coarsest of year, month, day, hour, minute, second, millisecond and microsecond that every
    value is a whole number of. `weekdays` counts Monday to Sunday. `days` is how many different days occur,
    `missing_days` how many between the first and the last do not, `gaps` the five longest runs of those.
    """

    aware: bool
    min: str | None
    max: str | None
    quantiles: list[Quantile]
    granularity: str | None
    weekdays: list[int]
    days: int
    missing_days: int
    gaps: list[Gap]
    order: Order | None


class BooleanFigures(msgspec.Struct, frozen=True, kw_only=True):
    true: int
    false: int


class DocumentKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the objects: in how many of them it is, and how often with which JSON type."""

    key: str
    count: int
    share: float
    types: dict[str, int]


class DocumentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of JSON: how many values have which type at their top (`invalid` where they do not parse, `large` where
    they are longer than a mebibyte and were not parsed), and the keys of those that are objects, most frequent first.
    Keys beyond 200 different ones are not listed; `more_keys` says whether there were any.
    """

    types: dict[str, int]
    keys: list[DocumentKey]
    more_keys: bool
    lengths: Lengths | None


class BinaryFigures(msgspec.Struct, frozen=True, kw_only=True):
    empty: int
    lengths: Lengths | None


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile of a column. `basis` has an entry for each figure, by its name.

    `rows` = `nulls` + `misfits` (values that the declared kind cannot hold) + `count`. `distinct` counts different
    values, NaN as one. `unique` is null where only an estimate of `distinct` is known, and has the basis of `distinct`
    where it rests on that. `identifier` says why the column looks like one, if it does.
    """

    name: str
    kind: str
    rows: int
    count: int
    nulls: int
    misfits: int
    distinct: int
    unique: bool | None
    constant: bool
    identifier: str | None
    top: list[Counted]
    basis: dict[str, Basis]
    numbers: NumberFigures | None = None
    text: TextFigures | None = None
    times: TimeFigures | None = None
    booleans: BooleanFigures | None = None
    documents: DocumentFigures | None = None
    binary: BinaryFigures | None = None
    notes: list[str] = []


class TableProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile of a table. `completeness` is the share of its cells that are not null, 1 where it has none.

    `candidate_keys` are single columns whose values are never null and all different.
    """

    rows: int
    columns: list[ColumnProfile]
    completeness: float
    candidate_keys: list[str]
    constant_columns: list[str]
    identifiers: list[str]
