"""Series freed of their seasons, to be forecast without them and given them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.series.decomposition import PERIODIC, Decomposition, decompose


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """`values` without seasons, and the seasons of the next steps to add to their forecast."""

    name: str
    values: Array
    seasonal: Array


def adjustments(values: Array, periods: Sequence[int], horizon: int) -> list[Adjusted]:
    """The series itself and, where it has periods, freed of fixed seasons, of drifting ones, and of the shortest only.

    There are at least two cycles of every period.
    """
    made = [Adjusted("", values, np.zeros(horizon))]
    if not periods:
        return made
    # With whole cycles only, no phase has a value more than another, which is quicker to smooth.
    spare = len(values) % periods[-1]
    whole = values[spare if len(values) - spare >= 2 * periods[-1] else 0 :]
    made.append(_adjusted("fixed seasons", whole, decompose(whole, periods, seasonal_spans=[PERIODIC] * 2), horizon))
    made.append(_adjusted("MSTL", whole, decompose(whole, periods), horizon))
    if len(periods) > 1:
        short = values[len(values) % periods[0] :]
        made.append(_adjusted(f"STL {periods[0]}", short, decompose(short, periods[:1]), horizon))
    return made


def _adjusted(name: str, values: Array, parts: Decomposition, horizon: int) -> Adjusted:
    return Adjusted(name, np.asarray(values - parts.seasonal), parts.next_seasonal(horizon))
