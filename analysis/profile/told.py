"""How the values of a column go into its profile: as scalars that JSON keeps whole, and each figure with its basis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.columns import Array, Kind, objects
from analysis.profile.figures import EXACT, Basis, Counted, Lengths, Order, Quantile, Scalar
from analysis.profile.ranked import Ranked, at_quantiles

# Readers of JSON keep numbers as doubles, which know no larger whole number for sure.
LARGEST_SAFE_INTEGER = 2**53 - 1

# Enough to recognise a value by.
LONGEST_SHOWN = 200

DEFAULT_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """`bins` of the histogram: None for as many as fit the data. `quantiles` are shares between 0 and 1."""

    quantiles: tuple[float, ...] = DEFAULT_QUANTILES
    bins: int | None = None
    top: int = 10

    def __post_init__(self) -> None:
        wrong = [share for share in self.quantiles if not 0 <= share <= 1]
        if wrong:
            raise ValueError(f"a quantile is a share from 0 to 1, not {wrong[0]!r}")
        if self.bins is not None and not 1 <= self.bins <= 10_000:
            raise ValueError(f"a histogram has between 1 and 10000 bins, not {self.bins!r}")
        if not 0 <= self.top <= 1000:
            raise ValueError(f"between 0 and 1000 top values are told, not {self.top!r}")


@dataclass(frozen=True, slots=True)
class Told:
    """What one kind of column has to say: figures of its own as a section, and those that all kinds have."""

    distinct: int
    top: list[Counted]
    basis: dict[str, Basis]
    section: Any = None
    notes: list[str] = field(default_factory=list)


def exact(names: Iterable[str]) -> dict[str, Basis]:
    return dict.fromkeys(names, EXACT)


def number_scalar(value: Any, kind: Kind, scale: int) -> Scalar:
    if kind is Kind.FLOAT:
        return float(value) + 0.0  # never -0.0
    if kind is Kind.DECIMAL:
        return decimal_text(int(value), scale)
    whole = int(value)
    return whole if abs(whole) <= LARGEST_SAFE_INTEGER else str(whole)


def decimal_text(value: int, scale: int) -> str:
    digits = str(abs(value)).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if value < 0 else text


def finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value + 0.0


def shown(text: str) -> str:
    """The text as it is told; halves of surrogate pairs, which no JSON holds, as question marks."""
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return cut.encode("utf-8", "replace").decode("utf-8")


def counted(values: Iterable[tuple[Any, int]], total: int, scalar: Callable[[Any], Scalar]) -> list[Counted]:
    return [Counted(value=scalar(value), count=count, share=count / total) for value, count in values]


def quantile_list(shares: Iterable[float], values: Iterable[Any], scalar: Callable[[Any], Scalar]) -> list[Quantile]:
    return [Quantile(p=share, value=scalar(value)) for share, value in zip(shares, values, strict=False)]


def lengths_of(counts: Mapping[int, int], shares: tuple[float, ...]) -> Lengths | None:
    """From how often each length occurs."""
    if not counts:
        return None
    lengths = sorted(counts)
    weights = np.array([counts[length] for length in lengths], dtype=np.int64)
    of = Ranked(np.array(lengths, dtype=np.int64), weights, int(weights.sum()))
    return Lengths(
        min=lengths[0],
        mean=sum(length * count for length, count in counts.items()) / of.total,
        max=lengths[-1],
        quantiles=quantile_list(shares, at_quantiles(of, shares), int),
    )


class OrderSeen:
    """Whether values rise or fall, batch after batch. Merging takes the other's rows as those that came after."""

    def __init__(self) -> None:
        self._first: Any = None
        self._last: Any = None
        self._rises, self._strictly_rises, self._falls, self._strictly_falls = True, True, True, True

    def add(self, values: Array) -> None:
        if not len(values):
            return
        if self._last is not None:
            self._step(self._last, values[0])
        # Most columns are in no order, and a few rows show it.
        self._look(values[:1000])
        if self._rises or self._falls:
            self._look(values)
        self._first = values[0] if self._first is None else self._first
        self._last = values[-1]

    def merge(self, other: OrderSeen) -> None:
        if other._first is None:
            return
        if self._last is not None:
            self._step(self._last, other._first)
        self._rises &= other._rises
        self._strictly_rises &= other._strictly_rises
        self._falls &= other._falls
        self._strictly_falls &= other._strictly_falls
        self._first = other._first if self._first is None else self._first
        self._last = other._last

    def rescale(self, factor: int) -> None:
        """All values so far were times that factor."""
        if self._first is not None:
            self._first, self._last = int(self._first) * factor, int(self._last) * factor

    def order(self) -> Order | None:
        """None of a column without values."""
        if self._first is None:
            return None
        return Order(
            non_decreasing=self._rises,
            strictly_increasing=self._strictly_rises,
            non_increasing=self._falls,
            strictly_decreasing=self._strictly_falls,
        )

    def _step(self, before: Any, after: Any) -> None:
        self._look(objects([before, after]))

    def _look(self, values: Array) -> None:
        before, after = values[:-1], values[1:]
        if self._rises:
            self._rises = bool(np.all(before <= after))
            self._strictly_rises = self._strictly_rises and self._rises and bool(np.all(before < after))
        else:
            self._strictly_rises = False
        if self._falls:
            self._falls = bool(np.all(before >= after))
            self._strictly_falls = self._strictly_falls and self._falls and bool(np.all(before > after))
        else:
            self._strictly_falls = False
