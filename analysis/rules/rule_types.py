"""Quality rules as clients write them, and what comes of evaluating one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

# As JSON writes them. Dates and times are ISO 8601 text and compared with the column's values as such.
Literals = str | int | float | bool

# More is a list of reference, and belongs into a table of its own.
MOST_ALLOWED = 10_000
LONGEST_PATTERN = 1000
LONGEST_EXPRESSION = 1000

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
ColumnName = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class RuleError(ValueError):
    """A rule that cannot be evaluated: the message says what is wrong with it and what would be right."""


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Completeness(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="completeness", tag_field="kind"
):
    """No value of the column is null; with `blank_is_null` none is empty or white space either."""

    column: ColumnName
    blank_is_null: bool = False


class Uniqueness(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="uniqueness", tag_field="kind"
):
    """No two rows have the same values in these columns. Rows with a null among them are not checked, as in SQL."""

    columns: Annotated[tuple[ColumnName, ...], msgspec.Meta(min_length=1, max_length=16)]


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="range", tag_field="kind"):
    """Values from `min` to `max`, both allowed, or one of them. Nulls are not checked; NaN is in no range."""

    column: ColumnName
    min: int | float | str | None = None
    max: int | float | str | None = None


class AllowedValues(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="allowed_values", tag_field="kind"
):
    """Values are among these. Nulls are not checked."""

    column: ColumnName
    values: Annotated[tuple[Literals, ...], msgspec.Meta(min_length=1, max_length=MOST_ALLOWED)]
    ignore_case: bool = False


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pattern", tag_field="kind"):
    """Values match a regular expression of RE2, from end to end unless `anywhere`. Nulls are not checked.

    RE2 takes time in proportion to the text, whatever the expression; it has no back references and no look-around.
    """

    column: ColumnName
    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_PATTERN)]
    anywhere: bool = False
    ignore_case: bool = False


class Freshness(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="freshness", tag_field="kind"
):
    """The latest time in the column is no older than this. Times without a zone are taken for UTC."""

    column: ColumnName
    max_age_seconds: Annotated[int, msgspec.Meta(gt=0)]


class RowCount(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="row_count", tag_field="kind"
):
    """There are so many rows: `min` of 1 or more, `max`, or both. A table that has to be empty has a `max` of 0."""

    min: Natural = 0
    max: Natural | None = None


class Referential(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="referential", tag_field="kind"
):
    """Values are among those of `reference` (`dataset.column`), given to the evaluation. Nulls are not checked."""

    column: ColumnName
    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class RowExpression(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="row_expression", tag_field="kind"
):
    """A CEL expression that is true of every row, as `row.shipped >= row.ordered`.

    A row of which it cannot be computed (a null compared with a number) does not meet it, and is counted as an error.
    """

    expression: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_EXPRESSION)]


class ProfileExpression(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="profile_expression", tag_field="kind"
):
    """A CEL expression over the profile: `table.rows > 100 && columns.price.numbers.min >= 0`."""

    expression: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_EXPRESSION)]


class SqlCondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sql", tag_field="kind"):
    """A query that the source runs. It brings the failing rows, or with `compare` one number to compare."""

    statement: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
    compare: Literal["==", "!=", "<", "<=", ">", ">="] | None = None
    value: float | None = None


Condition = (
    Completeness
    | Uniqueness
    | Range
    | AllowedValues
    | Pattern
    | Freshness
    | RowCount
    | Referential
    | RowExpression
    | ProfileExpression
    | SqlCondition
)


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may fail before the rule does: a share of the rows checked, a number of rows; where both are given, both
    must hold. Nothing may, unless said.
    """

    max_failing_share: Share | None = None
    max_failing_rows: Natural | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    condition: Condition
    threshold: Threshold = Threshold()
    severity: Severity = Severity.MEDIUM


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a rule.

    `checked` rows were looked at (nulls, where they are not checked, are none of them), `failing` of them do not meet
    it; of `errors` among those it could not be computed, the first for the reason `error`. `sample` has the keys of
    failing rows, the first found. `verdict` is `not_evaluated` where `reason` says what was missing.
    """

    rule: str
    severity: Severity
    verdict: Literal["pass", "fail", "not_evaluated"]
    reason: str
    checked: int = 0
    failing: int = 0
    share: float = 0.0
    errors: int = 0
    error: str | None = None
    sample: list[str] = []
