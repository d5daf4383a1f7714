"""Samples of one request, gathered until they are columns; what is refused is counted, by its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.series_keys import UnfitSeries
from storage.samples.columns import SampleColumns, SeriesKey
from storage.samples.policy import Policy
from storage.tables import to_microseconds

NANOSECONDS = 1_000_000
GAP = float("nan")

TOO_NEW = "the time is more than ten minutes ahead of the server's clock"
TOO_OLD = "the time is before what is still kept of samples"
NOT_FINITE = "the value is infinite"
# What a series that is remembered takes besides the bytes that it is known by.
ENTRY_BYTES = 600
# Times that no clock shows would not fit into milliseconds of 63 bits, and are too new anyway.
_LATEST_MS = 2**62


@dataclass(frozen=True, slots=True)
class Window:
    """The times that samples may have, in milliseconds; both ends are in it."""

    oldest_ms: int
    newest_ms: int


def window_of(policy: Policy, now: datetime) -> Window:
    """What is stored of samples that come now."""
    now_ms = to_microseconds(now) // 1000
    return Window(now_ms - policy.tiers[0].age_ms, now_ms + policy.ahead_ms)


class Slot:
    """A series of a sender, or why there is none. `start` is when its counter began, in the sender's own unit.

    It is known by the bytes that the sender calls it by, and told from others by its identity.
    """

    __slots__ = ("key", "refusal", "start")

    def __init__(self, key: SeriesKey | None, refusal: str = "") -> None:
        self.key = key
        self.refusal = refusal
        self.start = 0


@dataclass(slots=True)
class Refusals:
    """How many samples were refused, by the reason."""

    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.reasons.total()

    def add(self, reason: str, count: int = 1) -> None:
        if count:
            self.reasons[reason] += count

    def sentence(self, most: int = 5) -> str:
        """What was refused and why, for people; empty for nothing."""
        if not self.reasons:
            return ""
        told = [f"{count} because {reason}" for reason, count in self.reasons.most_common(most)]
        rest = len(self.reasons) - len(told)
        return f"{self.count} refused: {', '.join(told)}{f', and {rest} more reasons' if rest > 0 else ''}."


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a request holds. `samples` counts those that came, gap markers that were put between them not included.

    `began` are the counters that began anew: their gaps are among the columns, and need not be stored again once these
    are (`confirm`).
    """

    columns: SampleColumns
    samples: int
    refusals: Refusals
    began: tuple[tuple[Slot, int], ...] = ()

    def confirm(self) -> None:
        """Call when the columns are stored."""
        for slot, start in self.began:
            slot.start = start


class Gathered:
    """Rows of (slot, time in ms, value, start), one by one or many at once. A start of 0 is unknown."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._slots: list[Slot] = []
        self._at: list[int] = []
        self._values: list[float] = []
        self._starts: list[int] = []
        self._blocks: list[tuple[list[Slot], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]] = []
        self.refusals = Refusals()

    def admits(self, at_ms: int, count: int = 1) -> bool:
        """Whether samples may have this time; where not, `count` are refused."""
        if at_ms > self._window.newest_ms:
            self.refusals.add(TOO_NEW, count)
            return False
        if at_ms < self._window.oldest_ms:
            self.refusals.add(TOO_OLD, count)
            return False
        return True

    def add(self, slot: Slot, at_ms: int, value: float, start: int = 0) -> None:
        """One row, whose time has been admitted."""
        self._slots.append(slot)
        self._at.append(at_ms)
        self._values.append(value)
        self._starts.append(start)

    def add_block(
        self, slots: list[Slot], at_ms: NDArray[np.int64], values: NDArray[np.float64], starts: NDArray[np.int64]
    ) -> None:
        """Many rows; times are looked at."""
        self._blocks.append((slots, at_ms, values, starts))

    def columns(self, start_unit: int = 1) -> Decoded:
        """All of it. A start divided by `start_unit` is in milliseconds."""
        slots = [slot for block in self._blocks for slot in block[0]] + self._slots
        at_ms = _joined([block[1] for block in self._blocks], self._at, np.int64)
        values = _joined([block[2] for block in self._blocks], self._values, np.float64)
        starts = _joined([block[3] for block in self._blocks], self._starts, np.int64)
        slots, kept = self._kept(slots, at_ms, values)
        if kept is not None:
            at_ms, values, starts = at_ms[kept], values[kept], starts[kept]
        return self._decoded(slots, at_ms, values, starts, start_unit)

    def _kept(
        self, slots: list[Slot], at_ms: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[list[Slot], NDArray[np.bool_] | None]:
        """Those that may be stored, and which; None for all."""
        named = np.fromiter((slot.key is not None for slot in slots), np.bool_, len(slots))
        new, old = at_ms > self._window.newest_ms, at_ms < self._window.oldest_ms
        timely, finite = ~(new | old), ~np.isinf(values)
        kept = named & timely & finite
        if kept.all():
            return slots, None
        self.refusals.add(TOO_NEW, int(new.sum()))
        self.refusals.add(TOO_OLD, int(old.sum()))
        self.refusals.add(NOT_FINITE, int((named & timely & ~finite).sum()))
        for row in np.flatnonzero(timely & ~named).tolist():
            self.refusals.add(slots[row].refusal)
        return [slot for slot, keep in zip(slots, kept.tolist(), strict=True) if keep], kept

    def _decoded(
        self,
        slots: list[Slot],
        at_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        starts: NDArray[np.int64],
        start_unit: int,
    ) -> Decoded:
        samples = len(slots)
        began = _began(slots, at_ms, starts, start_unit)
        gaps = [(slot, at) for (slot, _), at in began.items() if at >= self._window.oldest_ms]
        if gaps:
            slots = slots + [slot for slot, _ in gaps]
            at_ms = np.concatenate((at_ms, np.fromiter((at for _, at in gaps), np.int64, len(gaps))))
            values = np.concatenate((values, np.full(len(gaps), GAP)))
        return Decoded(columns_of(slots, at_ms, values), samples, self.refusals, tuple(began))


def _began(
    slots: Sequence[Slot], at_ms: NDArray[np.int64], starts: NDArray[np.int64], start_unit: int
) -> dict[tuple[Slot, int], int]:
    """The counters that began anew since they were last heard of, each with the time of its gap in ms.

    That is the millisecond before it began, whichever node says so and however often: it is one gap, and hides no
    sample of what began.
    """
    known = np.fromiter((slot.start for slot in slots), np.int64, len(slots))
    rows = np.flatnonzero((starts != 0) & (starts != known))
    gaps: dict[tuple[Slot, int], int] = {}
    for row in rows.tolist():
        start = int(starts[row])
        at = min(start // start_unit, int(at_ms[row])) - 1
        mark = (slots[row], start)
        gaps[mark] = min(at, gaps.get(mark, at))
    return gaps


def columns_of(slots: Sequence[Slot], at_ms: NDArray[np.int64], values: NDArray[np.float64]) -> SampleColumns:
    """Columns of slots that all have a key."""
    index_of: dict[Slot, int] = {}
    index = np.fromiter((index_of.setdefault(slot, len(index_of)) for slot in slots), np.int32, len(slots))
    keys = tuple(slot.key for slot in index_of if slot.key is not None)
    return SampleColumns(keys, index, at_ms, values)


def refused_slot(error: UnfitSeries) -> Slot:
    return Slot(None, str(error))


def milliseconds(nanoseconds: int) -> int:
    return min(nanoseconds // NANOSECONDS, _LATEST_MS)


def _joined(blocks: list[NDArray[Any]], rows: list[int] | list[float], kind: type[np.generic]) -> NDArray[Any]:
    own = np.array(rows, kind)
    return np.concatenate((*blocks, own)) if blocks else own
