"""Questions as PromQL: which series, and one value of each for each step."""

from __future__ import annotations

import re
from collections.abc import Sequence

from handlers.performance.selectors import Selector

SOURCE_LABEL = "data_source_id"
# A rate needs two samples, which are seldom more than this apart.
LEAST_RATE_MS = 60_000

_NO_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_OVER_TIME = {
    "avg": "avg_over_time",
    "min": "min_over_time",
    "max": "max_over_time",
    "last": "last_over_time",
    "sum": "sum_over_time",
    "count": "count_over_time",
}
_HELD = ("avg", "min", "max", "last")


def name_of(metric: str) -> str:
    """A metric's name as such stores take it: `postgresql.commits` is `postgresql_commits` there."""
    return _NO_NAME.sub("_", metric)


def matching(source_id: int, selector: Selector | None) -> str:
    """The series of a source that a selector is about, all where there is none."""
    matchers = [f"{SOURCE_LABEL}={quoted(str(source_id))}"]
    if selector is not None:
        matchers.append(_named(selector))
        matchers += [
            f"{_NO_LABEL.sub('_', matcher.label)}{matcher.how}{quoted(matcher.value)}" for matcher in selector.matchers
        ]
    return "{" + ",".join(matchers) + "}"


def _named(selector: Selector) -> str:
    if selector.is_exact:
        return f"__name__={quoted(name_of(selector.name))}"
    pattern = ".*".join(name_of(part) for part in selector.name.split("*"))
    return f"__name__=~{quoted(pattern)}"


def values(source_id: int, metric: str, bucket: str, step_ms: int) -> str:
    """One value for each series of a metric, of the samples in the step before the time of evaluation.

    What is told of a step without samples is the store's own: the last value, until its look-back ends or a marker.
    """
    series = matching(source_id, Selector(metric))
    if bucket in ("rate", "increase"):
        window = max(step_ms, LEAST_RATE_MS)
        rate = f"rate({series}[{window}ms])"
        return rate if bucket == "rate" else f"{rate} * {step_ms / 1000:g}"
    own = f"{_OVER_TIME[bucket]}({series}[{step_ms}ms])"
    # Without a name on either side, so that both are the same series. `last` would keep it.
    own = f"{own} + 0" if bucket == "last" else own
    return f"({own}) or ({series} + 0)" if bucket in _HELD else own


def last_times(source_id: int, metric: str, step_ms: int) -> str:
    """When the newest sample of each series was, in seconds."""
    return f"timestamp({matching(source_id, Selector(metric))}) + 0 * {step_ms}"


def quoted(text: str) -> str:
    """A text in double quotes, as PromQL has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parameters_of(query: str, start_ms: int, step_ms: int, count: int) -> Sequence[tuple[str, str]]:
    """Of `query_range`, evaluated at the last ms of each of `count` steps: a window of a step's length is that step."""
    first, last = start_ms + step_ms - 1, start_ms + step_ms * count - 1
    return (
        ("query", query),
        ("start", f"{first / 1000:.3f}"),
        ("end", f"{last / 1000:.3f}"),
        ("step", f"{step_ms / 1000:g}"),
    )
