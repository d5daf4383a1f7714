"""Whether days until full come true: `python -m benchmarks.growth_forecasts` writes benchmarks/GROWTH.md.

Each size is seen for 10 to 120 days; the capacity is what it will reach after about 3 to 60 days more, if it goes on
as it did on average (of one that stands still, a fifth more), so that it may be reached earlier, later or never.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis.monitoring.growth import growth
from benchmarks.growth_data import HOUR_MS, SIZES

REPORT = Path(__file__).parent / "GROWTH.md"
SEED, EACH, LATER_DAYS = 1, 60, 480


@dataclass(slots=True)
class Tally:
    """Of one kind of size. `misses` are logarithms of days told over days that it took, where both are known."""

    inside: int = 0
    told: int = 0
    misses: list[float] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)


def backtest(kind: str, seed: int, number: int) -> Tally:
    """So many sizes of a kind."""
    tally = Tally()
    for place in range(number):
        rng = np.random.default_rng([seed, list(SIZES).index(kind), place])
        days = float(rng.uniform(10.0, 120.0))
        seen = int(days * 24)
        sizes = 5000.0 + SIZES[kind](rng, seen + LATER_DAYS * 24)
        pace = max((sizes[seen - 1] - sizes[0]) / days, float(np.ptp(sizes[:seen])) / days, 1e-6)
        room = 1000.0 if kind == "still" else pace * rng.uniform(3.0, 60.0)
        capacity = float(sizes[:seen].max()) + room
        at_ms = 1_700_000_000_000 + HOUR_MS * np.arange(seen, dtype=np.int64)
        found = growth(at_ms, sizes[:seen], capacity)
        above = np.flatnonzero(sizes[seen:] >= capacity)
        took = float(above[0] + 1) / 24 if len(above) else math.inf
        tally.states[found.status] = tally.states.get(found.status, 0) + 1
        earliest = math.inf if found.earliest is None else found.earliest
        latest = math.inf if found.latest is None else found.latest
        # A size is looked at by its peak in each day: either border may be a day off.
        tally.inside += earliest - 1.0 <= took <= latest + 1.0
        tally.told += 1
        if found.days and math.isfinite(took):
            tally.misses.append(abs(math.log(max(found.days, 0.5) / max(took, 0.5))))
    return tally


def main() -> None:
    """As the module says."""
    lines = [
        "# Days until full",
        "",
        f"`python -m benchmarks.growth_forecasts` wrote this: {EACH} made sizes of each kind (seed {SEED}; others were",
        "looked at while it was made), seen for 10 to 120 days by the hour. Intervals promise 0.9. What has not",
        "happened in the days that were seen (the first cleanup, the first large load) is in no interval.",
        "",
        "| size | came true within the interval | days told, off by (median) | what is told |",
        "|---|---:|---:|---|",
    ]
    started = time.process_time()
    for kind in SIZES:
        tally = backtest(kind, SEED, EACH)
        off = f"{math.exp(float(np.median(tally.misses))) - 1:.0%}" if tally.misses else "–"
        states = ", ".join(f"{state} {number}" for state, number in sorted(tally.states.items()))
        lines.append(f"| {kind} | {tally.inside / tally.told:.2f} | {off} | {states} |")
    spent = (time.process_time() - started) / (EACH * len(SIZES))
    lines += ["", f"{spent * 1e3:.0f} ms of one core each."]
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
