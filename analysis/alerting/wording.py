"""What an alert says: the query as text, and the summary with the values of the moment in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

from analysis.alerting import specs
from analysis.alerting.judging import Judgement
from analysis.alerting.specs import Compared, Matcher, Query, RuleSpec, Selector, SpecError

_PLACE = re.compile(r"\$\{([^{}]*)\}")
_KNOWN = ("value", "threshold", "expected", "name", "severity")
_LONGEST_SUMMARY = 500


def check_summary(template: str) -> None:
    """Raises SpecError for a place that nothing comes into."""
    for place in _PLACE.findall(template):
        if place not in _KNOWN and not place.startswith("labels."):
            raise SpecError(
                f"`summary` has ${{{place}}}; known are ${{value}}, ${{threshold}}, ${{expected}}, ${{name}}, "
                "${{severity}}, ${{labels.…}}"
            )


def summary_of(spec: RuleSpec, name: str, severity: str, labels: Mapping[str, str], judgement: Judgement) -> str:
    """One line. What is not known is "?"."""
    template = spec.summary or _default(spec.query, labels)
    known = {each: number(getattr(judgement, each)) for each in ("value", "threshold", "expected")}
    known |= {"name": name, "severity": severity}

    def put(match: re.Match[str]) -> str:
        place = match[1]
        return labels.get(place.removeprefix("labels."), "?") if place.startswith("labels.") else known[place]

    text = _PLACE.sub(put, template)
    return text if len(text) <= _LONGEST_SUMMARY else text[: _LONGEST_SUMMARY - 1] + "…"


def number(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"


def _default(query: Query, labels: Mapping[str, str]) -> str:
    where = ", ".join(f"{name}={value}" for name, value in labels.items())
    place = f" ({where})".replace("${", "{") if where else ""
    match query:
        case specs.Absence():
            return f"${{name}}: no sample of {query.metric} for {query.window_seconds:g} s{place}"
        case specs.Anomaly():
            band = "where ${expected} is expected and the band ends at ${threshold}"
            return f"${{name}}: {query.metric} is ${{value}}, {band}{place}"
        case specs.BurnRate():
            return f"${{name}}: the error budget burns at ${{value}} times its pace{place}"
        case specs.Composite():
            return f"${{name}}: {query.condition}"
        case _:
            return f"${{name}}: {_measured(query)} is ${{value}}{place}"


def query_text(query: Query) -> str:
    """The query as people read it, in the manner of PromQL; not to be parsed."""
    measured = _measured(query)
    if not isinstance(query, Compared):
        return measured
    comparison = f"{measured} {query.op} {query.threshold:g}" if query.op is not None else measured
    return comparison if query.condition is None else f"{comparison} where {query.condition}"


def _measured(query: Query) -> str:
    match query:
        case specs.Threshold():
            return selector_text(query.selector)
        case specs.RateOfChange():
            return f"change({_series(query.metric, query.labels)}[{query.window_seconds:g}s], {query.change})"
        case specs.Ratio():
            return f"{selector_text(query.numerator)} / {selector_text(query.denominator)}"
        case specs.Absence():
            return f"absent({_series(query.metric, query.labels)}[{query.window_seconds:g}s])"
        case specs.Anomaly():
            return f"anomaly({_series(query.metric, query.labels)}, {query.enter:g}, {query.leave:g})"
        case specs.BurnRate():
            bad, total = (_series(each.metric, each.labels) for each in (query.bad, query.total))
            return f"burn_rate({bad} / {total}, objective {query.objective:g})"
        case specs.Composite():
            return query.condition
        case _:
            assert_never(query)


def selector_text(selector: Selector) -> str:
    series = _series(selector.metric, selector.labels)
    text = series if selector.function == "last" else f"{selector.function}({series}[{selector.window_seconds:g}s])"
    if selector.group_by is None:
        return text
    return f"{selector.combine} by ({', '.join(selector.group_by)}) ({text})"


def _series(metric: str, matchers: tuple[Matcher, ...]) -> str:
    if not matchers:
        return metric
    parts = ",".join(f'{each.label}{each.op}"{each.value}"' for each in matchers)
    return f"{metric}{{{parts}}}"
