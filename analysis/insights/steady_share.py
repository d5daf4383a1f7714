"""Categories whose part of the whole stays the same over time, while the whole changes."""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array, Kind
from analysis.insights import charts, wording
from analysis.insights.findings import Measure, Number, Query
from analysis.insights.subjects import Breakdown, Subjects
from analysis.insights.trials import Told, Trial, Trials
from analysis.series.steps import bucket_step, step_of
from analysis.series.whitening import coupling, whitened
from analysis.significance import normal_scores, two_sided_t

# The share's standard deviation over time, of the share.
_STEADY = 0.1
# The whole has to vary more than this, or a steady share is no news.
_LEAST_MOVEMENT = 0.1
_LEAST_STEPS = 12


def find(subjects: Subjects, trials: Trials) -> None:
    if subjects.time is None or subjects.time.kind is Kind.INTEGER:
        return
    grid = _steps(subjects)
    if grid is None:
        return
    steps, stamps, unit = grid
    measures: list[str | None] = [None]
    measures += [c.name for c in subjects.measures if float(np.nanmin(c.values)) >= 0.0][:4]
    for breakdown in subjects.breakdowns[:5]:
        if breakdown.used > 12:
            continue
        for measure in measures:
            subjects.check()
            _of_pair(subjects, breakdown, measure, steps, stamps, unit, trials)


def _steps(subjects: Subjects) -> tuple[Array, Array, str] | None:
    """The step number of each row (-1: none), the steps' stamps and unit: coarse enough to have several rows each."""
    assert subjects.time is not None
    values = subjects.time.values
    known = ~np.isnat(values)
    distinct = np.unique(values[known])
    found = step_of(distinct)
    step = found[0] if found is not None else bucket_step(distinct)
    if step is None:
        return None
    numbers = np.full(len(values), -1, dtype=np.int64)
    raw = step.numbers(values[known], nearest=found is not None)
    first, last = int(raw.min()), int(raw.max())
    if last - first + 1 < _LEAST_STEPS or last - first > 5_000:
        return None
    numbers[known] = raw - first
    return numbers, step.stamps(np.arange(first, last + 1)), str(step.unit)


def _of_pair(
    subjects: Subjects,
    breakdown: Breakdown,
    measure: str | None,
    steps: Array,
    stamps: Array,
    unit: str,
    trials: Trials,
) -> None:
    levels, width = len(breakdown.levels), len(stamps)
    inside = (steps >= 0) & (breakdown.codes >= 0)
    cells = breakdown.codes[inside].astype(np.int64) * width + steps[inside]
    weights = None if measure is None else np.nan_to_num(subjects.frame.column(measure).values[inside])
    table = np.bincount(cells, weights, levels * width).reshape(levels, width).astype(np.float64)
    whole = table.sum(axis=0)
    if np.count_nonzero(whole) < width * 0.9 or float(np.std(whole)) < _LEAST_MOVEMENT * float(np.mean(whole)):
        return
    for code in np.flatnonzero(breakdown.counts):
        part, rest = table[code], whole - table[code]
        shares = np.divide(part, whole, out=np.zeros(width), where=whole > 0)
        share = float(part.sum() / whole.sum())
        variation = float(np.std(shares)) / share if share > 0 else math.inf
        if variation > _STEADY or share > 0.95:
            trials.fail()
            continue
        p = _together(part, rest)
        trials.add(_trial(subjects, breakdown, int(code), measure, shares, share, variation, stamps, unit, p))


def _together(part: Array, rest: Array) -> float:
    """That the part and the rest move together, beyond what each one's past foretells."""
    one, other = whitened(normal_scores(part)), whitened(normal_scores(rest))
    z = coupling(one, other)
    return two_sided_t(z, len(part) - 4) if z > 0 else 1.0


def _trial(
    subjects: Subjects,
    breakdown: Breakdown,
    code: int,
    measure: str | None,
    shares: Array,
    share: float,
    variation: float,
    stamps: Array,
    unit: str,
    p: float,
) -> Trial:
    assert subjects.time is not None
    time, level = subjects.time.name, breakdown.levels[code]
    columns = (*((measure,) if measure else ()), breakdown.name, time)
    return Trial(
        "steady_share",
        columns,
        p,
        0.8 * (1.0 - variation / _STEADY),
        share,
        subjects.rows,
        (level,),
        ("steady_share", *columns),
        lambda: _told(time, breakdown.name, level, measure, shares, share, variation, stamps, unit, p),
    )


def _told(
    time: str,
    by: str,
    level: str,
    measure: str | None,
    shares: Array,
    share: float,
    variation: float,
    stamps: Array,
    unit: str,
    p: float,
) -> Told:
    whole = "rows" if measure is None else f"total of {measure}"
    low, high = (float(np.quantile(shares, part)) for part in (0.05, 0.95))
    sentence = (
        f"{wording.quoted(level)} in {by} keeps its share of the {whole} while the whole changes: "
        f"{wording.percent(share)}, between {wording.percent(low)} and {wording.percent(high)} in nine of ten "
        f"{unit.replace('business day', 'day')}s ({wording.count(len(shares), 'step')}, {wording.chance(p)})."
    )
    aggregate = Measure(function="count") if measure is None else Measure(function="sum", column=measure)
    return Told(
        sentence,
        {
            "share": Number(value=share, unit="share", low=low, high=high),
            "variation": Number(value=variation, unit="ratio"),
            "steps": Number(value=len(shares), unit="count"),
        },
        "correlation of the part with the rest over time, both prewhitened",
        Query(group_by=[by], time=time, period=unit.replace("business day", "day"), measures=[aggregate]),
        charts.lines(f"Share of {wording.shortened(level)} in the {whole}", stamps, shares, "share"),
    )
