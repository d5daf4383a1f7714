"""Whether a series rises or falls, by a test that wandering does not deceive.

Generalised least squares for a line in noise as persistent as the values admit: where they may be a random walk the
test is on the mean of the steps, where they return to the line it is nearly ordinary least squares. After the idea of
Perron and Yabu (2009), with a bound in place of their estimate, so that small p-values hold, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.series.whitening import long_run_variance, persistence
from analysis.significance import two_sided_t


@dataclass(frozen=True, slots=True)
class Trend:
    """`slope` a step with its standard `error`, both in the values' unit; `explained` is R squared of the line;
    `persistence` the memory of the noise that was reckoned with (0 none, 1 a random walk)."""

    slope: float
    error: float
    p: float
    explained: float
    persistence: float


def trend_of(values: Array) -> Trend | None:
    """The trend of values at equal steps, NaN left out; None of fewer than 12 or of constant values."""
    at = np.flatnonzero(~np.isnan(values)).astype(np.float64)
    present = values[~np.isnan(values)]
    if len(present) < 12 or float(np.ptp(present)) == 0.0:
        return None
    # In units of their size, of which squares are numbers too.
    unit = math.ldexp(1.0, min(1023, max(-1000, math.frexp(float(np.max(np.abs(present))))[1])))
    present = present / unit
    line = np.polynomial.polynomial.polyfit(at, present, 1)
    residuals = present - np.polynomial.polynomial.polyval(at, line)
    total = float(np.var(present))
    explained = 1.0 - float(np.var(residuals)) / total
    memory = persistence(residuals)
    if memory is None or float(np.var(residuals)) <= 1e-20 * total:
        return Trend(float(line[1]) * unit, 0.0, 0.0, 1.0, 0.0)
    # As if there were no gaps: steps of a walk are the larger the longer the gap, which a fit on the times would take
    # for a trend.
    slope, error, degrees = _quasi_differenced(np.arange(len(present), dtype=np.float64), present, memory.upper)
    p = two_sided_t(slope / error, degrees) if error > 0 else 1.0
    per_step = (len(present) - 1) / float(at[-1] - at[0])
    return Trend(float(line[1]) * unit, error * per_step * unit, p, explained, memory.upper)


def _quasi_differenced(at: Array, values: Array, alpha: float) -> tuple[float, float, int]:
    """Slope, error and degrees of freedom of y[t] - alpha y[t-1] on the constant and the time, treated alike."""
    target = values[1:] - alpha * values[:-1]
    times = at[1:] - alpha * at[:-1]
    design = times[:, None] if alpha >= 1.0 else np.column_stack([times, np.full(len(times), 1.0 - alpha)])
    coefficients, *_ = np.linalg.lstsq(design, target, rcond=None)
    left = target - design @ coefficients
    degrees = len(target) - design.shape[1] - 1
    variance = long_run_variance(left) * len(left) / max(degrees, 1)
    inverse = np.linalg.pinv(design.T @ design)
    return float(coefficients[0]), math.sqrt(max(variance * float(inverse[0, 0]), 0.0)), degrees
