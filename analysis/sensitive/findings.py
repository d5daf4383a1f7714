"""What classification says of a column: a type, how sure, and why; never a value."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Category(StrEnum):
    """Why the type is sensitive: personal, health, financial data, or a secret that opens something."""

    PII = "PII"
    PHI = "PHI"
    FINANCIAL = "financial"
    SECRET = "secret"  # noqa: S105 - a category, no secret


class NameEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the column's name says of the type. `words` matched it, `against` speak against it."""

    says: Literal["strong", "weak", "nothing", "against"]
    words: list[str]
    against: list[str]


class ValueEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the values say: of `tested` different ones `matched` are of the type.

    `base_rate` is the share of random values of the same shape that pass the type's check, `typical` the share that a
    column of the type usually has. `log10_likelihood_ratio` compares the two for what was found; it is cut at the
    type's own limit, since values of one column are not independent of each other.
    """

    tested: int
    matched: int
    share: float
    base_rate: float
    typical: float
    log10_likelihood_ratio: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A column that is of a sensitive type, or contains values of it.

    `confidence` is the probability of that: prior odds from the name, times the likelihood ratio of the values; `how`
    says it in words. `sampled` different values were looked at of `rows` that are not null (0 where only the name was).
    `examples` show the shape of matching values and no character of them.
    """

    type: str
    title: str
    category: Category
    verdict: Literal["is", "contains", "by name"]
    confidence: float
    how: str
    sampled: int
    rows: int
    name: NameEvidence
    values: ValueEvidence | None
    examples: list[str]
