"""Looks for insights in a table: every family of finders, one correction for all they tried, the best in words."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from analysis.frames import Frame, Role
from analysis.insights.findings import Insight, Insights, Part
from analysis.insights.options import InsightOptions
from analysis.insights.queries import with_sql
from analysis.insights.ranking import Ranked, collapsed, fingerprint, ranked
from analysis.insights.registry import FAMILIES, Family
from analysis.insights.subjects import MOST_BREAKDOWNS, MOST_MEASURES, Subjects
from analysis.insights.trials import Trials

_LEAST_ROWS = 2


class _OutOfTime(Exception):
    """The budget is used up; what was found until then counts."""


def find_insights(
    frame: Frame,
    options: InsightOptions | None = None,
    tell: Callable[[float, str], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Insights:
    """The insights of a table. Bad data never raise: every part has a status. `check` may raise to cancel; `tell` hears
    the share done and of what."""
    options = options or InsightOptions()
    if frame.rows < _LEAST_ROWS or not frame.columns:
        status = "empty" if not frame.rows or not frame.columns else "too_few"
        return _answer(frame, options, [], Trials(), [Part(part="table", status=status)])
    deadline = options.clock() + options.seconds

    def step() -> None:
        if check is not None:
            check()
        if options.clock() > deadline:
            raise _OutOfTime

    subjects = Subjects(frame, options, step)
    trials, parts = Trials(), _columns_left_out(frame)
    chosen = [family for family in FAMILIES if not options.types or options.types & family.types.keys()]
    for number, family in enumerate(chosen):
        if tell is not None:
            tell(number / len(chosen), family.name)
        parts.append(_run(family, subjects, trials))
    parts += _budgets(subjects)
    found = collapsed(ranked(trials, options.level))
    if options.types:
        found = [one for one in found if one.trial.type in options.types]
    answer = _answer(frame, options, found, trials, parts)
    if tell is not None:
        tell(1.0, "done")
    return answer


def _run(family: Family, subjects: Subjects, trials: Trials) -> Part:
    """One family, whatever happens in it."""
    if family.name in ("over time", "shares over time") and subjects.time is None:
        return Part(part=family.name, status="no_time", detail="no column of dates or times with 12 different values")
    if family.name == "drift" and subjects.options.reference is None:
        return Part(part=family.name, status="no_reference", detail="no earlier profile to compare with")
    before = trials.tested
    try:
        subjects.check()
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # values beyond what a float holds: told as None
            family.find(subjects, trials)
    except _OutOfTime:
        seconds = f"{subjects.options.seconds:g} seconds"
        return Part(part=family.name, status="budget", detail=f"stopped after {seconds}", tests=trials.tested - before)
    except (ArithmeticError, ValueError, IndexError, np.linalg.LinAlgError) as error:
        # A fault of ours in one family must not cost the others; it is told, not hidden.
        detail = f"{type(error).__name__}: {error}"
        return Part(part=family.name, status="failed", detail=detail[:200], tests=trials.tested - before)
    return Part(part=family.name, status="ok", tests=trials.tested - before)


def _columns_left_out(frame: Frame) -> list[Part]:
    parts = []
    for column in frame.columns[:1000]:
        if column.role is Role.OTHER:
            parts.append(Part(part=f"column {column.name}", status="not_analysed", detail=f"values of {column.kind}"))
        elif column.nulls == len(column):
            parts.append(Part(part=f"column {column.name}", status="empty", detail="all null"))
    return parts


def _budgets(subjects: Subjects) -> list[Part]:
    parts = []
    if len(subjects.numbers) > MOST_MEASURES:
        left = len(subjects.numbers) - MOST_MEASURES
        parts.append(Part(part="measures", status="budget", detail=f"the first {MOST_MEASURES}; {left} left out"))
    if len(subjects.breakdowns) == MOST_BREAKDOWNS:
        parts.append(Part(part="breakdowns", status="budget", detail=f"the first {MOST_BREAKDOWNS} at most"))
    return parts


def _answer(frame: Frame, options: InsightOptions, found: list[Ranked], trials: Trials, parts: list[Part]) -> Insights:
    originals = {column.name: column.original or column.name for column in frame.columns}
    told = [_told(one, frame, options, originals) for one in found[: options.limit]]
    holding = ranked(trials, options.level)
    return Insights(
        insights=told,
        tests_performed=trials.tested,
        discoveries=sum(one.q is not None for one in holding),
        facts=sum(one.q is None for one in holding),
        shown=len(told),
        level=options.level,
        correction="benjamini-hochberg",
        rows=frame.rows,
        total_rows=frame.total_rows,
        sampled=frame.is_sample,
        seed=options.seed,
        complete=all(part.status not in ("budget", "failed") for part in parts),
        parts=parts,
    )


def _told(one: Ranked, frame: Frame, options: InsightOptions, originals: dict[str, str]) -> Insight:
    trial = one.trial
    times = frozenset(column.name for column in frame.columns if column.role is Role.TIME)
    with np.errstate(all="ignore"):
        told = trial.tell()
    return Insight(
        id=fingerprint(trial),
        type=trial.type,
        columns=list(trial.columns),
        sentence=told.sentence,
        numbers=told.numbers,
        score=one.score,
        impact=trial.impact,
        significance=one.significance,
        p=trial.p,
        q=one.q,
        n=trial.n,
        of=frame.total_rows if frame.total_rows is not None else frame.rows,
        method=told.method,
        query=with_sql(told.query, options.table, options.dialect, originals, times),
        chart=told.chart,
        subspace=list(trial.subspace),
        also=one.also,
    )
