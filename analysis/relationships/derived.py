"""Columns that follow from others by arithmetic: a = b + c, a = b * c, a = k * b + m.

Formulas are tried on a few rows, many at once, and those that hold there are computed on all rows. Zeros in a sum and
zeros and ones in a product say nothing and do not count. What holds as often after the column was shuffled says nothing
either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.columns import Array
from analysis.frames import Frame, FrameColumn, Role
from analysis.relationships.findings import Basis, DerivedColumn, Part, PartStatus, RelationshipOptions
from analysis.time_budget import TimeBudget

_TRIED_ROWS = 64
_LEAST_ROWS = 20
# Of the tried rows so many have to hold before all are computed.
_LEAST_OF_TRIED = 0.8
_MOST_BY_CHANCE = 0.5
_MOST_DECIMALS = 6
_RELATIVE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Number:
    """A column of numbers and how far off a value is that was rounded to as many decimals as its values have."""

    name: str
    values: Array
    tolerance: float


@dataclass(frozen=True, slots=True)
class _Formula:
    text: str
    target: int
    sources: tuple[int, ...]
    compute: Callable[[Sequence[Array]], Array]
    telling: Callable[[Sequence[Array]], Array]
    factor: float | None = None
    offset: float | None = None


def derived_columns(
    dataset: str, frame: Frame, repeated: Sequence[str], options: RelationshipOptions, budget: TimeBudget
) -> tuple[list[DerivedColumn], Part]:
    """Of one dataset; `repeated` are columns that are equal to an earlier one and stay out."""
    numbers = [
        _number(column)
        for column in frame.of_role(Role.NUMERIC)[: options.most_columns]
        if column.name not in repeated and _varies(column)
    ]
    generator = np.random.default_rng(options.seed)
    rows = _tried_rows(numbers, frame.rows, generator)
    if len(numbers) < 2 or len(rows) < _LEAST_ROWS:
        return [], Part(PartStatus.NOTHING_TO_TEST)
    tried = np.array([number.values[rows] for number in numbers])
    found: list[DerivedColumn] = []
    tested = by_chance = 0
    explained: set[frozenset[int]] = set()
    for count, formulas in _candidates(numbers, tried):
        if budget.spent():
            return found, Part(PartStatus.OUT_OF_TIME, tested, 0, by_chance, "not all formulas were tried")
        tested += count
        for formula in formulas:
            columns = frozenset({formula.target, *formula.sources})
            if columns in explained:
                continue
            finding = _checked(dataset, frame, numbers, formula, options, generator)
            if finding is not None:
                explained.add(columns)
                found.append(finding)
            else:
                by_chance += 1
    found.sort(key=lambda one: (-one.share, len(one.sources), one.column))
    return found[: options.most_findings], Part(PartStatus.OK, tested, 0, by_chance)


def _varies(column: FrameColumn) -> bool:
    values = column.values[~np.isnan(column.values)]
    return len(values) >= _LEAST_ROWS and bool((values != values[0]).any())


def _number(column: FrameColumn) -> _Number:
    sample = column.values[~np.isnan(column.values)][:1000]
    for decimals in range(_MOST_DECIMALS + 1):
        scaled = sample * 10.0**decimals
        if np.allclose(scaled, np.round(scaled), rtol=1e-12, atol=1e-6):
            return _Number(column.name, column.values, 0.0 if decimals == 0 else 0.5001 * 10.0**-decimals)
    return _Number(column.name, column.values, 0.0)


def _tried_rows(numbers: Sequence[_Number], rows: int, generator: np.random.Generator) -> Array:
    """Rows where as many columns as possible have values."""
    picked = generator.permutation(rows)[: 64 * _TRIED_ROWS]
    missing = np.zeros(len(picked), dtype=np.int64)
    for number in numbers:
        missing += np.isnan(number.values[picked])
    return np.sort(picked[np.argsort(missing, kind="stable")][:_TRIED_ROWS])


def _candidates(numbers: Sequence[_Number], tried: Array) -> Iterator[tuple[int, list[_Formula]]]:
    """Formulas that hold on the tried rows, a step at a time, with how many the step tried."""
    tolerances = np.array([number.tolerance for number in numbers])
    for source in range(len(numbers)):
        yield len(numbers) - 1, list(_linear(numbers, tried, tolerances, source))
    for first, second in combinations(range(len(numbers)), 2):
        yield (
            2 * (len(numbers) - 2),
            [
                *_of_two(numbers, tried, tolerances, (first, second), "+"),
                *_of_two(numbers, tried, tolerances, (first, second), "*"),
            ],
        )


def _linear(numbers: Sequence[_Number], tried: Array, tolerances: Array, source: int) -> Iterator[_Formula]:
    values = tried[source]
    present = np.flatnonzero(~np.isnan(values))
    low, high = present[np.argmin(values[present])], present[np.argmax(values[present])]
    if values[low] == values[high]:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        factors = (tried[:, high] - tried[:, low]) / (values[high] - values[low])
    for target in np.flatnonzero(np.isfinite(factors) & (factors != 0)).tolist():
        # The coarser of two columns was rounded, and follows from the finer one.
        if target == source or (target < source and tolerances[target] == tolerances[source]):
            continue
        factor, offset = _nice_line(float(factors[target]), tried, target, source, tolerances[target])
        formula = _line(numbers, target, source, factor, offset)
        if _holds(tried, formula, tolerances[target]) >= _LEAST_OF_TRIED:
            yield formula


def _nice_line(factor: float, tried: Array, target: int, source: int, tolerance: float) -> tuple[float, float]:
    """Rounding of the two ends moves the factor; a short number near it is what was meant."""
    span = np.nanmax(tried[source]) - np.nanmin(tried[source])
    slack = max(2 * tolerance / span, 1e-9 * abs(factor))
    short = next((round(factor, d) for d in range(10) if abs(round(factor, d) - factor) <= slack), factor)
    factor = short or factor
    rest = float(np.nanmedian(tried[target] - factor * tried[source]))
    slack = max(2 * tolerance, _RELATIVE * float(np.nanmax(np.abs(tried[target]))))
    return factor, 0.0 + next((round(rest, d) for d in range(10) if abs(round(rest, d) - rest) <= slack), rest)


def _line(numbers: Sequence[_Number], target: int, source: int, factor: float, offset: float) -> _Formula:
    right = f"{factor:.10g} * {numbers[source].name}" if factor != 1 else numbers[source].name
    tail = f" {'+' if offset > 0 else '-'} {abs(offset):.10g}" if offset else ""
    return _Formula(
        f"{numbers[target].name} = {right}{tail}",
        target,
        (source,),
        lambda columns: factor * columns[0] + offset,
        lambda columns: np.asarray(columns[0] != 0) if not offset else np.ones(len(columns[0]), dtype=np.bool_),
        factor,
        offset,
    )


def _of_two(
    numbers: Sequence[_Number], tried: Array, tolerances: Array, sources: tuple[int, int], sign: str
) -> Iterator[_Formula]:
    first, second = tried[sources[0]], tried[sources[1]]
    with np.errstate(over="ignore", invalid="ignore"):
        value = first + second if sign == "+" else first * second
        close = np.abs(tried - value) <= _allowed(value, tolerances[:, None])
    telling = _telling(sign)((first, second)) & ~np.isnan(value)
    usable = telling & ~np.isnan(tried)
    enough = usable.sum(axis=1) >= _LEAST_ROWS / 2
    most = (close & usable).sum(axis=1) >= _LEAST_OF_TRIED * usable.sum(axis=1)
    for target in np.flatnonzero(enough & most).tolist():
        if target not in sources:
            text = f" {sign} ".join(numbers[source].name for source in sources)
            yield _Formula(f"{numbers[target].name} = {text}", target, sources, _computed(sign), _telling(sign))


def _computed(sign: str) -> Callable[[Sequence[Array]], Array]:
    return (lambda columns: columns[0] + columns[1]) if sign == "+" else (lambda columns: columns[0] * columns[1])


def _telling(sign: str) -> Callable[[Sequence[Array]], Array]:
    dull = (0.0,) if sign == "+" else (0.0, 1.0, -1.0)
    return lambda columns: ~np.isin(columns[0], dull) & ~np.isin(columns[1], dull)


def _allowed(value: Array, tolerance: float | Array) -> Array:
    return np.asarray(tolerance + _RELATIVE * np.abs(value))


def _holds(columns: Array | Sequence[Array], formula: _Formula, tolerance: float) -> float:
    """The share of rows with values in which the formula holds."""
    target, sources = columns[formula.target], [columns[source] for source in formula.sources]
    usable = _usable(target, sources, formula)
    if usable.sum() < _LEAST_ROWS / 2:
        return 0.0
    return float(_close(target, sources, formula, tolerance)[usable].mean())


def _usable(target: Array, sources: Sequence[Array], formula: _Formula) -> Array:
    present = ~np.isnan(target)
    for source in sources:
        present &= ~np.isnan(source)
    return present & formula.telling(sources)


def _close(target: Array, sources: Sequence[Array], formula: _Formula, tolerance: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        value = formula.compute(sources)
        return np.asarray(np.abs(target - value) <= _allowed(value, tolerance))


def _checked(
    dataset: str,
    frame: Frame,
    numbers: Sequence[_Number],
    formula: _Formula,
    options: RelationshipOptions,
    generator: np.random.Generator,
) -> DerivedColumn | None:
    target, sources = numbers[formula.target], [numbers[source].values for source in formula.sources]
    usable = _usable(target.values, sources, formula)
    rows = int(np.count_nonzero(usable))
    if rows < _LEAST_ROWS:
        return None
    values, inside = target.values[usable], [source[usable] for source in sources]
    holds = int(np.count_nonzero(_close(values, inside, formula, target.tolerance)))
    chance = float(_close(generator.permutation(values), inside, formula, target.tolerance).mean())
    if holds < options.min_share * rows or chance > _MOST_BY_CHANCE:
        return None
    return DerivedColumn(
        dataset,
        target.name,
        formula.text,
        tuple(numbers[source].name for source in formula.sources),
        holds,
        holds / rows,
        chance,
        formula.factor,
        formula.offset,
        target.tolerance,
        rows,
        frame.rows,
        Basis.SAMPLE if frame.is_sample else Basis.EXACT,
    )
