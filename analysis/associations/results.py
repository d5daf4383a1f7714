"""What is asked of an association matrix and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from analysis.frames import Role


class Method(StrEnum):
    """How a pair is measured. AUTO: spearman for numbers, cramers_v for categories, correlation_ratio between them."""

    AUTO = "auto"
    PEARSON = "pearson"
    SPEARMAN = "spearman"
    KENDALL = "kendall"
    XI = "xi"
    CRAMERS_V = "cramers_v"
    THEILS_U = "theils_u"
    CORRELATION_RATIO = "correlation_ratio"
    MUTUAL_INFORMATION = "mutual_information"


class Status(StrEnum):
    """OK, DUPLICATE and DETERMINISTIC have an effect; what the last two say holds in every row that has both values.
    The rest say why a column or a pair has none."""

    OK = "ok"
    DUPLICATE = "duplicate"
    DETERMINISTIC = "deterministic"
    CONSTANT = "constant"
    IDENTIFIER = "identifier"
    FREE_TEXT = "free_text"
    ALL_NULL = "all_null"
    UNSUPPORTED = "unsupported"
    TOO_FEW = "too_few"
    NO_OVERLAP = "no_overlap"
    NOT_APPLICABLE = "not_applicable"


class Relation(StrEnum):
    """What holds in every row of a DUPLICATE or DETERMINISTIC pair."""

    IDENTICAL = "identical"
    LINEAR = "linear"
    MONOTONE = "monotone"
    ONE_TO_ONE = "one_to_one"
    A_DETERMINES_B = "a_determines_b"
    B_DETERMINES_A = "b_determines_a"


class Correction(StrEnum):
    """Of p for the number of pairs: Benjamini-Hochberg, or Benjamini-Yekutieli, which allows any dependence."""

    BH = "bh"
    BY = "by"


@dataclass(frozen=True, slots=True)
class AssociationOptions:
    """`level` of the intervals; `time` names the column that orders rows for the guard against trends (None: the one
    with the most values). `max_pairs` is how many pairs are computed and listed, `max_levels` how many levels of a
    category are told apart. When `seconds` are over, what was measured by then is the answer. Raises ValueError."""

    method: Method = Method.AUTO
    level: float = 0.95
    correction: Correction = Correction.BH
    time: str | None = None
    max_pairs: int = 5_000
    max_levels: int = 50
    include_identifiers: bool = False
    sample_rows: int = 50_000
    permutations: int = 199
    seed: int = 0
    threads: int = 1
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1:
            raise ValueError(f"level is from 0.5 to below 1, not {self.level}")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"seconds are more than 0, not {self.seconds}")
        least = {"max_pairs": 1, "max_levels": 2, "sample_rows": 100, "permutations": 19, "threads": 1, "seed": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} is at least {bound}, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class AssociatedColumn:
    """`rows_with_value` of the frame's rows; `levels` of a category, of which `levels_kept` are told apart and the rest
    taken together as one."""

    name: str
    role: Role
    status: Status
    reason: str | None
    rows_with_value: int
    infinities: int = 0
    levels: int | None = None
    levels_kept: int | None = None


@dataclass(frozen=True, slots=True)
class TrendGuard:
    """The same measure of first differences in the order of `time`: what is left when a common trend is taken out.

    `per_stamp`: rows with the same time were averaged first. `only_trend`: the levels go together and the differences
    do not, so that the two may have nothing in common but that both change with time.
    """

    effect: float
    low: float
    high: float
    n: int
    per_stamp: bool
    only_trend: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """`effect` from -1 to 1, or 0 to 1 where the measure has no direction, with its interval; `strength` is the least
    |effect| that the interval allows. `n` of the matrix's `rows` were used. `test` is what `p` comes from; `q` is p
    corrected for all pairs. `figures` are further measures of the same rows by name."""

    a: str
    b: str
    method: Method
    status: Status
    n: int
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    strength: float | None = None
    p: float | None = None
    q: float | None = None
    test: str | None = None
    sampled: bool = False
    relation: Relation | None = None
    figures: dict[str, float] = field(default_factory=dict)
    trend: TrendGuard | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssociationMatrix:
    """`pairs` by strength, the strongest first, those without an effect last. Of `pairs_possible`, `pairs_left_out` are
    not in `pairs`: by `rule`, or `pairs_out_of_time` because the time was over. `tests` is what q is corrected for:
    pairs that were only looked at count, too. `discoveries` have q of at most 1 - level."""

    rows: int
    total_rows: int | None
    method: Method
    level: float
    correction: Correction
    seed: int
    columns: tuple[AssociatedColumn, ...]
    pairs: tuple[Pair, ...]
    pairs_possible: int
    pairs_left_out: int
    rule: str | None
    tests: int
    discoveries: int
    time_column: str | None
    pairs_out_of_time: int = 0
    remarks: tuple[str, ...] = ()
