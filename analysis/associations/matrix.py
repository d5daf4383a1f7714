"""The association matrix of a frame: how every two columns go together, how surely, and on how many rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from analysis.associations.columns import Numbers, Prepared, prepared
from analysis.associations.multiplicity import corrected
from analysis.associations.of_categories import by_information, of_categories
from analysis.associations.of_mixed import of_mixed
from analysis.associations.of_numbers import of_numbers
from analysis.associations.results import (
    AssociatedColumn,
    AssociationMatrix,
    AssociationOptions,
    Method,
    Pair,
    Status,
)
from analysis.associations.selection import CATEGORY_METHODS, NUMERIC_METHODS, applies, selected
from analysis.associations.trend import clock_of
from analysis.associations.work import Work
from analysis.columns import Array
from analysis.frames import Frame, Role
from analysis.time_budget import TimeBudget


def associate(
    frame: Frame,
    options: AssociationOptions | None = None,
    tell: Callable[[float, str], None] = lambda _share, _what: None,
    check: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.monotonic,
) -> AssociationMatrix:
    """Never raises for what is in the frame: columns and pairs that cannot be measured have a status that says why.

    `tell` hears how far it is, from 0 to 1. `check` is called every few milliseconds to a tenth of a second and may
    raise, which ends it.
    """
    options = options or AssociationOptions()
    budget = TimeBudget(math.inf if options.seconds is None else options.seconds, check, now)
    tell(0.0, "columns")
    told, usable = _prepared(frame, options, check)
    clock = clock_of(frame, options.time, np.random.default_rng((options.seed, 0)))
    work = Work(frame, usable, options, clock, budget, check, tell)
    chosen = selected(usable, options.method, options.max_pairs, work.random(7), check) if len(usable) > 1 else None
    pairs: list[Pair] = []
    if chosen is not None:
        tell(0.1, f"{len(chosen.a):,} pairs")
        pairs = _with_q(_measured(work, chosen.a, chosen.b), chosen.possible, options)
    out_of_time = len(chosen.a) - len(pairs) if chosen is not None else 0
    pairs.sort(key=_strongest_first)
    tests = chosen.possible if chosen is not None else 0
    fitting = [column for column in told if column.status is not Status.NOT_APPLICABLE]
    possible = _possible(fitting, options.method)
    pairs += _hopeless(fitting, options.method, min(possible - tests, options.max_pairs - len(pairs)))
    tell(1.0, "done")
    return AssociationMatrix(
        rows=frame.rows,
        total_rows=frame.total_rows,
        method=options.method,
        level=options.level,
        correction=options.correction,
        seed=options.seed,
        columns=tuple(told),
        pairs=tuple(pairs),
        pairs_possible=possible,
        pairs_left_out=possible - len(pairs),
        rule=chosen.rule if chosen is not None else None,
        tests=tests,
        discoveries=sum(pair.q is not None and pair.q <= 1 - options.level + 1e-12 for pair in pairs),
        time_column=clock.name if clock is not None else None,
        pairs_out_of_time=out_of_time,
        remarks=_remarks(frame, options, clock is not None),
    )


def _prepared(
    frame: Frame, options: AssociationOptions, check: Callable[[], None]
) -> tuple[list[AssociatedColumn], list[Prepared]]:
    told, usable = [], []
    for column in frame.columns:
        check()
        if not _fits(column.role, options.method):
            present = len(column) - column.nulls
            reason = f"{options.method} does not take {column.role} columns"
            told.append(AssociatedColumn(column.name, column.role, Status.NOT_APPLICABLE, reason, present))
            continue
        made = prepared(column, options)
        if isinstance(made, AssociatedColumn):
            told.append(made)
        else:
            usable.append(made)
            told.append(made.told)
    return told, usable


def _fits(role: Role, method: Method) -> bool:
    if method in NUMERIC_METHODS:
        return role in (Role.NUMERIC, Role.TIME)
    return role is Role.CATEGORY if method in CATEGORY_METHODS else True


def _measured(work: Work, a: Array, b: Array) -> list[Pair]:
    if work.options.method is Method.MUTUAL_INFORMATION:
        work.rank([column for column in work.columns if isinstance(column, Numbers)])
        return by_information(work, a, b)
    numeric = np.array([isinstance(column, Numbers) for column in work.columns], dtype=np.bool_)
    both, neither = numeric[a] & numeric[b], ~numeric[a] & ~numeric[b]
    pairs = of_numbers(work, a[both], b[both])
    mixed = ~both & ~neither
    pairs += of_mixed(work, a[mixed], b[mixed])
    work.tell(0.9, "tables")
    return pairs + of_categories(work, a[neither], b[neither])


def _with_q(pairs: list[Pair], tests: int, options: AssociationOptions) -> list[Pair]:
    tested = [place for place, pair in enumerate(pairs) if pair.p is not None]
    q = corrected(np.array([pairs[place].p for place in tested], dtype=np.float64), tests, options.correction)
    for place, value in zip(tested, q, strict=True):
        pairs[place] = replace(pairs[place], q=float(value))
    return pairs


def _strongest_first(pair: Pair) -> tuple[float, float, str, str]:
    strength = -1.0 if pair.strength is None else pair.strength
    return -strength, -abs(pair.effect or 0.0), pair.a, pair.b


def _possible(columns: Sequence[AssociatedColumn], method: Method) -> int:
    numbers = sum(column.role in (Role.NUMERIC, Role.TIME) for column in columns)
    categories = sum(column.role is Role.CATEGORY for column in columns)
    if method is Method.CORRELATION_RATIO:
        return numbers * categories
    if method in NUMERIC_METHODS or method in CATEGORY_METHODS:
        return math.comb(numbers if method in NUMERIC_METHODS else categories, 2)
    return math.comb(numbers + categories, 2)


def _hopeless(columns: Sequence[AssociatedColumn], method: Method, room: int) -> list[Pair]:
    """Pairs of which one column says nothing, as far as there is room for them."""
    pairs: list[Pair] = []
    known = [column for column in columns if column.role is not Role.OTHER]
    numeric = np.array([column.role is not Role.CATEGORY for column in known], dtype=np.bool_)
    for place, a in enumerate(known):
        for other in range(place + 1, len(known)):
            if len(pairs) >= room:
                return pairs
            b = known[other]
            worse = a if a.status is not Status.OK else b
            if worse.status is not Status.OK and applies(method, numeric[place], numeric[other]):
                pairs.append(
                    Pair(
                        a.name, b.name, _method_of(method, bool(numeric[place]), bool(numeric[other])), worse.status, 0
                    )
                )
    return pairs


def _method_of(method: Method, is_number_a: bool, is_number_b: bool) -> Method:
    if method is not Method.AUTO:
        return method
    if is_number_a != is_number_b:
        return Method.CORRELATION_RATIO
    return Method.SPEARMAN if is_number_a else Method.CRAMERS_V


def _remarks(frame: Frame, options: AssociationOptions, has_clock: bool) -> tuple[str, ...]:
    remarks = []
    if frame.is_sample:
        remarks.append(f"computed on {frame.rows:,} of {frame.total_rows:,} rows; the intervals allow for the sampling")
    if options.time is not None and not has_clock:
        remarks.append(f"{options.time!r} is no column of times with enough different ones to order the rows by")
    return tuple(remarks)
