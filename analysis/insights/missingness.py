"""Patterns of what is missing: columns that are null in the same rows, and nulls that depend on another column."""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array
from analysis.frames import FrameColumn
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Query
from analysis.insights.subjects import Breakdown, Subjects, persists
from analysis.insights.trials import Told, Trial, Trials
from analysis.series.whitening import coupling, lag_one, whitened
from analysis.significance import two_sided_t, upper_hypergeometric

_LEAST_NULLS = 10
_MOST_COLUMNS = 60
# Rows null in both over rows null in either.
_TOGETHER = 0.8
_LEAST_EFFECT = 0.15


def find(subjects: Subjects, trials: Trials) -> None:
    with_nulls = [column for column in subjects.frame.columns if _LEAST_NULLS <= column.nulls < len(column)]
    with_nulls = with_nulls[:_MOST_COLUMNS]
    if not with_nulls:
        return
    missing = np.column_stack([subjects.ordered(~column.present) for column in with_nulls])
    together = _together(subjects, with_nulls, missing, trials)
    for place, column in enumerate(with_nulls):
        subjects.check()
        _by_numbers(subjects, column, missing[:, place], trials)
        for breakdown in subjects.breakdowns:
            if breakdown.name != column.name and (breakdown.name, column.name) not in together:
                _by_levels(subjects, column, missing[:, place], breakdown, trials)


def _together(subjects: Subjects, columns: list[FrameColumn], missing: Array, trials: Trials) -> set[tuple[str, str]]:
    """Pairs null together; sets of columns that are so pairwise are told as one."""
    whole = missing.astype(np.float64)
    both = (whole.T @ whole).astype(np.int64)
    groups: list[tuple[list[int], float]] = []
    pairs: set[tuple[str, str]] = set()
    for i in range(len(columns)):
        for j in range(i + 1, len(columns)):
            either = int(both[i, i] + both[j, j] - both[i, j])
            if both[i, j] < _TOGETHER * either:
                trials.fail()
                continue
            p = upper_hypergeometric(int(both[i, j]), subjects.rows, int(both[i, i]), int(both[j, j]))
            if persists(missing[:, i].astype(np.int32)) and persists(missing[:, j].astype(np.int32)):
                p = max(p, _whitened_p(missing[:, i], missing[:, j].astype(np.float64)))
            pairs |= {(columns[i].name, columns[j].name), (columns[j].name, columns[i].name)}
            joined = next((group for group in groups if i in group[0]), None)
            if joined is not None and j in joined[0]:
                trials.fail()
            elif joined is not None:
                joined[0].append(j)
                trials.fail()
            else:
                groups.append(([i, j], p))
    for places, p in groups:
        names = tuple(columns[place].name for place in places)
        rows = int(np.count_nonzero(missing[:, places].all(axis=1)))
        either = int(np.count_nonzero(missing[:, places].any(axis=1)))
        trials.add(_together_trial(subjects, names, rows, either, p))
    return pairs


def _together_trial(subjects: Subjects, names: tuple[str, ...], rows: int, either: int, p: float) -> Trial:
    return Trial(
        "null_together",
        names,
        p,
        rows / max(either, 1),
        max(0.2, rows / max(subjects.rows, 1)),
        subjects.rows,
        (),
        ("null_together", *names),
        lambda: _together_told(subjects, names, rows, either, p),
    )


def _together_told(subjects: Subjects, names: tuple[str, ...], rows: int, either: int, p: float) -> Told:
    exactly = "always" if rows == either else f"in {wording.percent(rows / either)} of the rows where one is"
    sentence = (
        f"{wording.listed(list(names))} are null together: {exactly}, {wording.count(rows, 'row')} of "
        f"{subjects.rows:,} ({wording.chance(p)})."
    )
    conditions = [Condition(column=name, operator="is null") for name in names]
    nulls = [subjects.frame.column(name).nulls for name in names]
    return Told(
        sentence,
        {
            "rows": Number(value=rows, unit="count"),
            "of_rows_with_any": Number(value=rows / max(either, 1), unit="share"),
        },
        "overlap of the null rows; hypergeometric test",
        Query(where=conditions, limit=100),
        charts.bars(
            "Null rows by column", [*names, "all of them"], [*nulls, rows], {len(names)}, "null rows", "column"
        ),
    )


def _whitened_p(missing: Array, values: Array) -> float:
    """Of a relation of nulls with values in rows that remember the rows before."""
    one = whitened(missing - missing.mean())
    other = whitened(values - values.mean())
    return two_sided_t(coupling(one, other), len(missing) - 2)


def _by_numbers(subjects: Subjects, column: FrameColumn, missing: Array, trials: Trials) -> None:
    """Whether a measure is higher or lower where the column is null: a rank test with normal scores."""
    remembers = abs(lag_one(missing - missing.mean())) > 3.0 / math.sqrt(len(missing))
    for measure in subjects.measures[:30]:
        if measure.name == column.name:
            continue
        scores = subjects.scores(measure.name)
        known = ~np.isnan(scores)
        null_rows = int(np.count_nonzero(missing & known))
        other_rows = int(np.count_nonzero(known)) - null_rows
        if min(null_rows, other_rows) < _LEAST_NULLS:
            continue
        difference = float(scores[known & missing].mean() - scores[known & ~missing].mean())
        deviation = float(scores[known].std())
        if abs(difference) < 2.0 * _LEAST_EFFECT * deviation:
            trials.fail()
            continue
        count = null_rows + other_rows
        r = difference / deviation * math.sqrt(null_rows * other_rows) / count
        p = two_sided_t(r * math.sqrt((count - 2) / max(1.0 - r * r, 1e-12)), count - 2)
        if remembers and subjects.remembers(measure.name):
            p = max(p, _whitened_p(missing, np.nan_to_num(scores)))
        side = "high" if difference > 0 else "low"
        trials.add(
            Trial(
                "null_depends",
                (column.name, measure.name),
                p,
                min(1.0, abs(difference) / deviation / 2.0),
                max(0.2, null_rows / max(subjects.rows, 1)),
                count,
                (side,),
                ("null_depends", column.name, measure.name),
                lambda measure=measure, side=side, p=p: _numbers_told(  # type: ignore[misc]
                    column, measure, side, p
                ),
            )
        )


def _numbers_told(column: FrameColumn, measure: FrameColumn, side: str, p: float) -> Told:
    null = ~column.present
    known = ~np.isnan(measure.values)
    inside, outside = measure.values[null & known], measure.values[~null & known]
    here, there = float(np.median(inside)), float(np.median(outside))
    word = "higher" if side == "high" else "lower"
    sentence = (
        f"{column.name} is null more often where {measure.name} is {side}: the median {measure.name} is {word} in its "
        f"{wording.count(len(inside), 'null row')}, {wording.number(here)}, than in the other {len(outside):,}, "
        f"{wording.number(there)} ({wording.chance(p)})."
    )
    return Told(
        sentence,
        {
            "median_where_null": Number(value=here, unit="value"),
            "median_elsewhere": Number(value=there, unit="value"),
            "null_rows": Number(value=len(inside), unit="count"),
        },
        "rank test with normal scores",
        Query(
            where=[Condition(column=column.name, operator="is null")],
            order_by=measure.name,
            descending=side == "high",
            limit=100,
        ),
        charts.bars(
            f"Median {measure.name} where {column.name} is",
            ["null", "not null"],
            [here, there],
            {0},
            f"median {measure.name}",
            column.name,
        ),
    )


def _by_levels(subjects: Subjects, column: FrameColumn, missing: Array, breakdown: Breakdown, trials: Trials) -> None:
    """The level with the most nulls for its size."""
    codes = subjects.ordered(breakdown.codes)
    known = codes >= 0
    rows, nulls = int(np.count_nonzero(known)), int(np.count_nonzero(missing & known))
    if nulls < _LEAST_NULLS or rows - nulls < _LEAST_NULLS:
        return None
    size = len(breakdown.levels)
    inside = np.bincount(codes[known & missing], minlength=size)
    counts = np.bincount(codes[known], minlength=size)
    shares = np.where(counts >= _LEAST_NULLS, inside / np.maximum(counts, 1), 0.0)
    code = int(np.argmax(shares))
    rest = (nulls - int(inside[code])) / max(rows - int(counts[code]), 1)
    if shares[code] - rest < _LEAST_EFFECT:
        return trials.fail()
    p = min(1.0, breakdown.used * upper_hypergeometric(int(inside[code]), rows, int(counts[code]), nulls))
    if persists(codes) and persists(missing.astype(np.int32)):
        p = max(p, _whitened_p(missing, (codes == code).astype(np.float64)))
    level = breakdown.levels[code]
    return trials.add(
        Trial(
            "null_depends",
            (column.name, breakdown.name),
            p,
            float(shares[code]) - rest,
            max(0.2, nulls / max(subjects.rows, 1)),
            rows,
            (level,),
            ("null_depends", column.name, breakdown.name),
            lambda: _levels_told(column, breakdown, inside, counts, code, rest, p),
        )
    )


def _levels_told(
    column: FrameColumn, breakdown: Breakdown, inside: Array, counts: Array, code: int, rest: float, p: float
) -> Told:
    share = float(inside[code] / counts[code])
    order = [place for place in np.argsort(-inside / np.maximum(counts, 1), kind="stable") if counts[place]]
    sentence = (
        f"{column.name} is null in {wording.percent(share)} of the rows where {breakdown.name} is "
        f"{wording.quoted(breakdown.levels[code])} ({int(inside[code]):,} of {int(counts[code]):,}) and in "
        f"{wording.percent(rest)} of the others ({wording.chance(p)})."
    )
    return Told(
        sentence,
        {
            "share": Number(value=share, unit="share"),
            "share_of_others": Number(value=rest, unit="share"),
            "nulls": Number(value=int(inside[code]), unit="count"),
        },
        "hypergeometric test of the level with the largest share, corrected for the number of levels",
        Query(
            where=[
                Condition(column=column.name, operator="is null"),
                Condition(column=breakdown.name, operator="=", value=breakdown.levels[code]),
            ],
            limit=100,
        ),
        charts.bars(
            f"Share of nulls in {column.name} by {breakdown.name}",
            [wording.shortened(breakdown.levels[place]) for place in order],
            [float(inside[place] / counts[place]) for place in order],
            {order.index(code)},
            "share of nulls",
            breakdown.name,
        ),
    )
