"""What is asked and what is found: relationships within a dataset and between datasets.

Shares and errors lie between 0 and 1. `n` counts the rows that a finding was computed on, `of` the rows of the frame;
a frame that is a sample (`sampled`) cannot prove what holds for all rows of its dataset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from analysis.relationships.sketches import ColumnSketch


class Basis(StrEnum):
    """What a figure stands on."""

    EXACT = "exact"  # every row of every dataset it speaks of
    SAMPLE = "sample"  # every row of a sample
    SKETCH = "sketch"  # the least hashes of the different values


class Standing(StrEnum):
    """How much stands behind a finding."""

    LIKELY = "likely"
    POSSIBLE = "possible"  # it holds, but would often hold by chance


class PartStatus(StrEnum):
    """How a part of the answer ended."""

    OK = "ok"
    NOTHING_TO_TEST = "nothing_to_test"
    OUT_OF_TIME = "out_of_time"  # tested as far as the time went; `untested` says how much was left
    LEFT_OUT = "left_out"  # bounded by a rule that `why` tells


class ColumnStatus(StrEnum):
    """Whether a column took part."""

    OK = "ok"
    EMPTY = "empty"
    CONSTANT = "constant"
    NOT_COMPARABLE = "not_comparable"  # JSON, binary


@dataclass(frozen=True, slots=True)
class ColumnName:
    dataset: str
    column: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for or against; `weight` adds to the score, in powers of ten of the odds."""

    says: str
    weight: float


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Values of `child` that are keys of `parent`.

    `included_rows` of the child's `n` rows with a value have a partner; `included_values` of its `distinct` values.
    Where the child is a sample, `low` and `high` bound the share of rows with 95 % confidence.
    """

    child: ColumnName
    parent: ColumnName
    standing: Standing
    score: float
    evidence: tuple[Evidence, ...]
    n: int
    of: int
    distinct: int
    included_rows: int
    included_values: int
    share: float
    low: float
    high: float
    covered: float
    basis: Basis
    method: str = "inclusion of the different values, by 64-bit hashes"


@dataclass(frozen=True, slots=True)
class FunctionalDependency:
    """Equal values of `determinant` have equal values of `dependent`, but for `violations` of `n` rows.

    `error` is g3: the least share of rows to take away for the dependency to hold (Kivinen and Mannila, 1995).
    `support` rows share their determinant's value with another row, so that they could have violated it;
    `expected_violations` is how many would, were the dependent's values shuffled.
    """

    dataset: str
    determinant: str
    dependent: str
    both_ways: bool
    error: float
    violations: int
    expected_violations: float
    support: int
    groups: int
    n: int
    of: int
    basis: Basis
    method: str = "g3 from counts of groups"


@dataclass(frozen=True, slots=True)
class UniqueColumns:
    """One column, or two together, that tell rows apart. `expected_repeats`: pairs of equal rows that independent
    columns of these frequencies would have, and one column of numbers drawn from their range; where it is small, being
    unique says little (`possible`)."""

    dataset: str
    columns: tuple[str, ...]
    standing: Standing
    expected_repeats: float
    n: int
    of: int
    basis: Basis
    method: str = "count of the different values"


@dataclass(frozen=True, slots=True)
class DuplicateRows:
    """Rows that are equal in `columns`. `repeated` could go without losing a row; `examples` are row numbers, a tuple a
    group. `expected_repeats`: of the `equal_pairs` of rows so many are due where columns of these frequencies have
    nothing to do with each other; where there are hardly more, the rows need be no duplicates (`possible`)."""

    dataset: str
    columns: tuple[str, ...]
    besides: tuple[str, ...]
    groups: int
    repeated: int
    largest: int
    standing: Standing
    equal_pairs: int
    expected_repeats: float
    examples: tuple[tuple[int, ...], ...]
    n: int
    of: int
    basis: Basis
    method: str = "64-bit hashes of rows, equal ones compared"


@dataclass(frozen=True, slots=True)
class DuplicateColumns:
    """Columns with the same value, or null, in every row."""

    dataset: str
    columns: tuple[str, ...]
    n: int
    of: int
    basis: Basis
    method: str = "values compared"


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """A column that follows from others by `formula`, in `holds` of the `n` rows where all have values.

    `share_by_chance` is in how many it holds after `column` was shuffled. `tolerance` is absolute.
    """

    dataset: str
    column: str
    formula: str
    sources: tuple[str, ...]
    holds: int
    share: float
    share_by_chance: float
    factor: float | None
    offset: float | None
    tolerance: float
    n: int
    of: int
    basis: Basis
    method: str = "formula computed on every row"


@dataclass(frozen=True, slots=True)
class Joinable:
    """Columns of two datasets that share values. `containment` is the share of the different values of `left` that
    `right` has; `low` and `high` bound it with 95 % confidence and are equal to it where sketches hold all values."""

    left: ColumnName
    right: ColumnName
    standing: Standing
    score: float
    evidence: tuple[Evidence, ...]
    containment: float
    low: float
    high: float
    compared: int
    right_unique: bool
    basis: Basis
    method: str = "bottom-k MinHash"


@dataclass(frozen=True, slots=True)
class Part:
    """What was tested in one part of the answer; `by_chance` held but was not reported since it says nothing."""

    status: PartStatus
    tested: int = 0
    untested: int = 0
    by_chance: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class DatasetSeen:
    """What of a dataset was looked at. Columns that are not `ok` stand in `columns` with their status."""

    dataset: str
    rows: int
    total_rows: int | None
    sampled: bool
    columns: dict[str, ColumnStatus]


@dataclass(frozen=True, slots=True)
class Relationships:
    """All findings, the surest first in each part, and how each part went."""

    datasets: tuple[DatasetSeen, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    dependencies: tuple[FunctionalDependency, ...] = ()
    unique: tuple[UniqueColumns, ...] = ()
    duplicate_rows: tuple[DuplicateRows, ...] = ()
    duplicate_columns: tuple[DuplicateColumns, ...] = ()
    derived: tuple[DerivedColumn, ...] = ()
    joinable: tuple[Joinable, ...] = ()
    parts: dict[str, Part] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RelationshipOptions:
    """What to look for.

    `seconds` bounds the time; what was not reached is told. `min_inclusion` is the share of a column's rows that need
    a partner for a foreign key, `max_error` the g3 error and `min_share` the share of rows for a formula. `sketches`
    are of datasets that are not at hand, as stored with their profiles. At most `most_findings` of a part are kept.
    """

    seconds: float = 60.0
    seed: int = 0
    min_inclusion: float = 0.95
    max_error: float = 0.01
    min_share: float = 0.95
    min_containment: float = 0.5
    most_findings: int = 200
    most_columns: int = 400
    sketches: tuple[ColumnSketch, ...] = ()
