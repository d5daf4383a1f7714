"""Columns that have another distribution than in an earlier profile.

The profile keeps its bins, so that the earlier rows are not read again. PSI has a sampling null: with B bins and n
and m rows, PSI / (1/n + 1/m) is about chi-square with B - 1 degrees of freedom where nothing changed; a table of few
rows has a large PSI by chance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from analysis.columns import Array, Kind
from analysis.frames import FrameColumn, Role
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Query
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials
from analysis.profile.figures import ColumnProfile, Scalar
from analysis.significance import two_sided_normal, upper_chi_square

# The rule of thumb for a shift that matters; below it, differences are true and too small to tell.
LEAST_PSI = 0.1
_MOST_BINS = 10
_LEAST_ROWS = 50
_LEAST_NULL_SHIFT = 0.05


def find(subjects: Subjects, trials: Trials) -> None:
    reference = subjects.options.reference
    if reference is None:
        return
    earlier = {profile.name: profile for profile in reference.columns}
    for column in subjects.frame.columns:
        profile = earlier.get(column.original or column.name)
        if profile is None:
            continue
        subjects.check()
        _nulls(subjects, column, profile, trials)
        if min(profile.count, len(column) - column.nulls) >= _LEAST_ROWS and not _is_key(profile):
            for test in _tests(subjects, column, profile):
                if test is None:
                    trials.fail()
                else:
                    trials.add(test)


def _is_key(profile: ColumnProfile) -> bool:
    """A key's values differ from load to load by their nature."""
    return profile.identifier is not None


def _tests(subjects: Subjects, column: FrameColumn, profile: ColumnProfile) -> Iterator[Trial | None]:
    if column.role is Role.NUMERIC and profile.numbers is not None:
        compared = numeric_bins(column.values, profile)
    elif column.role is Role.CATEGORY:
        compared = category_bins(column, profile)
    else:
        compared = None
    if compared is not None:
        yield _shift(subjects, column, profile, *compared)


def numeric_bins(values: Array, profile: ColumnProfile) -> tuple[list[str], Array, Array] | None:
    """Labels of bins and how many values the reference and the column have in each; neighbours of the reference's
    histogram joined until each holds a tenth. Values beyond its ends are in the first and the last bin."""
    assert profile.numbers is not None
    histogram = profile.numbers.histogram
    edges = None if histogram is None else _floats(histogram.edges)
    if histogram is None or edges is None or len(histogram.counts) < 2:
        return None
    counts = np.array(histogram.counts, dtype=np.float64)
    wanted = float(counts.sum()) / _MOST_BINS
    bounds, joined, run = [edges[0]], [], 0.0
    for place, count in enumerate(counts):
        run += float(count)
        if run >= wanted or place == len(counts) - 1:
            bounds.append(edges[place + 1])
            joined.append(run)
            run = 0.0
    if len(joined) > 1 and joined[-1] < wanted / 4:  # a thin rest belongs to its neighbour
        joined[-2:] = [joined[-2] + joined[-1]]
        del bounds[-2]
    if len(joined) < 2:
        return None
    known = values[~np.isnan(values)]
    now = np.bincount(np.searchsorted(np.array(bounds[1:-1]), known, side="right"), minlength=len(joined))
    labels = [f"{wording.number(low)} to {wording.number(high)}" for low, high in itertools.pairwise(bounds)]
    return labels, np.array(joined), now.astype(np.float64)


def _floats(edges: list[Scalar]) -> list[float] | None:
    try:
        found = [float(edge) for edge in edges]
    except (TypeError, ValueError):
        return None
    return found if all(map(math.isfinite, found)) else None


def category_bins(column: FrameColumn, profile: ColumnProfile) -> tuple[list[str], Array, Array] | None:
    """The reference's most frequent values and all others."""
    if not profile.top or column.levels is None or profile.kind not in (Kind.TEXT, Kind.BOOLEAN, Kind.OTHER):
        return None
    top = {_text(counted.value): counted.count for counted in profile.top}
    if sum(top.values()) < 0.5 * profile.count:
        return None
    found = np.bincount(column.values[column.values >= 0], minlength=len(column.levels))
    codes = {str(level): code for code, level in enumerate(column.levels)}
    before = [float(count) for count in top.values()]
    now = [float(found[codes[name]]) if name in codes else 0.0 for name in top]
    rest = (float(profile.count) - sum(before), float(found.sum()) - sum(now))
    labels = list(top)
    if max(rest) > 0:
        labels, before, now = [*labels, "(others)"], [*before, max(0.0, rest[0])], [*now, rest[1]]
    return (labels, np.array(before), np.array(now)) if len(labels) > 1 else None


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shift(
    subjects: Subjects, column: FrameColumn, profile: ColumnProfile, labels: list[str], before: Array, now: Array
) -> Trial | None:
    n, m = float(before.sum()), float(now.sum())
    bins = len(before)
    one, two = (before + 0.5) / (n + 0.5 * bins), (now + 0.5) / (m + 0.5 * bins)
    psi = float(np.sum((two - one) * np.log(two / one)))
    if psi < LEAST_PSI:
        return None
    p = upper_chi_square(psi / (1.0 / n + 1.0 / m), bins - 1)
    return Trial(
        "drift",
        (column.name,),
        p,
        1.0 - math.exp(-2.0 * psi),
        1.0,
        int(m),
        (),
        ("drift", column.name),
        lambda: _told(subjects, column, profile, labels, one, two, psi, p, (int(n), int(m))),
    )


def _told(
    subjects: Subjects,
    column: FrameColumn,
    profile: ColumnProfile,
    labels: list[str],
    one: Array,
    two: Array,
    psi: float,
    p: float,
    rows: tuple[int, int],
) -> Told:
    noise = (len(one) - 1) * (1.0 / rows[0] + 1.0 / rows[1])
    middle = (one + two) / 2.0
    divergence = float(0.5 * np.sum(one * np.log2(one / middle)) + 0.5 * np.sum(two * np.log2(two / middle)))
    numbers = {
        "psi": Number(value=psi, unit="score"),
        "psi_by_chance": Number(value=noise, unit="score"),
        "jensen_shannon": Number(value=math.sqrt(max(divergence, 0.0)), unit="score"),
    }
    detail = f"the largest change is in {wording.quoted(labels[int(np.argmax(np.abs(two - one)))])}"
    if column.role is Role.NUMERIC:
        numbers["kolmogorov_smirnov"] = Number(value=float(np.max(np.abs(np.cumsum(two - one)))), unit="score")
        moved = _moved(column.values, profile)
        mean = profile.numbers.mean if profile.numbers is not None else None
        if moved is not None:
            numbers["wasserstein_over_deviation"] = Number(value=moved, unit="ratio")
        if mean is not None:
            now = float(np.nanmean(column.values))
            numbers["mean_before"], numbers["mean"] = (Number(value=v, unit="value") for v in (mean, now))
            detail = f"its mean went from {wording.number(mean)} to {wording.number(now)}"
    place = int(np.argmax(np.abs(two - one)))
    sentence = (
        f"{column.name} is distributed differently than in {subjects.options.reference_label}: {detail}; PSI "
        f"{wording.number(psi, 2)} where {wording.number(noise, 2)} was to be expected by chance "
        f"({rows[1]:,} rows now, {rows[0]:,} then, {wording.chance(p)}). {_share_change(labels, one, two, place)}"
    )
    return Told(
        sentence,
        numbers,
        "population stability index on the earlier profile's bins; chi-square of its sampling null",
        Query(columns=[column.name]),
        charts.grouped_bars(
            f"Distribution of {column.name}",
            [wording.shortened(label, 30) for label in labels],
            {"then": one.tolist(), "now": two.tolist()},
            "share of rows",
            column.name,
        ),
    )


def _share_change(labels: list[str], one: Array, two: Array, place: int) -> str:
    return (
        f"The share of {wording.quoted(labels[place])} went from {wording.percent(float(one[place]))} to "
        f"{wording.percent(float(two[place]))}."
    )


def _moved(values: Array, profile: ColumnProfile) -> float | None:
    """Wasserstein's distance over the reference's standard deviation, between quantiles that the profile keeps."""
    numbers = profile.numbers
    if numbers is None or not numbers.std or len(numbers.quantiles) < 3:
        return None
    before = _floats([quantile.value for quantile in numbers.quantiles])
    if before is None:
        return None
    shares = np.array([quantile.p for quantile in numbers.quantiles])
    now = np.nanquantile(values, shares)
    widths = np.gradient(shares)
    return float(np.sum(np.abs(now - np.array(before)) * widths) / widths.sum() / numbers.std)


def _nulls(subjects: Subjects, column: FrameColumn, profile: ColumnProfile, trials: Trials) -> None:
    """Whether another share of the rows is null than then."""
    rows = len(column)
    if min(rows, profile.rows) < _LEAST_ROWS:
        return None
    before, now = (profile.nulls + profile.misfits) / profile.rows, column.nulls / rows
    if abs(now - before) < _LEAST_NULL_SHIFT:
        return trials.fail()
    pooled = (profile.nulls + profile.misfits + column.nulls) / (profile.rows + rows)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / rows + 1.0 / profile.rows))
    p = two_sided_normal((now - before) / error) if error > 0 else 1.0
    return trials.add(
        Trial(
            "null_drift",
            (column.name,),
            p,
            min(1.0, 2.0 * abs(now - before)),
            1.0,
            rows,
            ("more" if now > before else "fewer",),
            ("null_drift", column.name),
            lambda: _nulls_told(subjects, column, before, now, p),
        )
    )


def _nulls_told(subjects: Subjects, column: FrameColumn, before: float, now: float, p: float) -> Told:
    sentence = (
        f"{column.name} is null in {wording.percent(now)} of the rows; in {subjects.options.reference_label} it was "
        f"{wording.percent(before)} ({wording.count(len(column), 'row')} now, {wording.chance(p)})."
    )
    return Told(
        sentence,
        {"share": Number(value=now, unit="share"), "share_before": Number(value=before, unit="share")},
        "two-sample test of shares",
        Query(where=[Condition(column=column.name, operator="is null")], limit=100),
        charts.bars(f"Share of nulls in {column.name}", ["then", "now"], [before, now], {1}, "share", "profile"),
    )
