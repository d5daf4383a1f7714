"""Who asks for which series: found by the metric and, where a rule names it, by the value of one label."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.alerting.judging import Wanted
from analysis.alerting.matching import Labels
from analysis.alerting.plans import Plan

Asking = tuple[Plan, Wanted]


class Selection:
    """What plans want. With thousands of rules about one metric, a series is compared with those that may mean it."""

    def __init__(self) -> None:
        # By source, metric, and a label with its value; with no label for those that name none.
        self._asking: dict[tuple[int, str, tuple[str, str] | None], list[Asking]] = {}
        self._metrics: dict[int, set[str]] = {}

    def add(self, plan: Plan) -> None:
        for wanted in plan.wanted:
            # A label that has to be empty may not be there at all.
            named = ((each.label, each.value) for each in wanted.labels if each.op == "=" and each.value)
            self._asking.setdefault((plan.source_id, wanted.metric, next(named, None)), []).append((plan, wanted))
            self._metrics.setdefault(plan.source_id, set()).add(wanted.metric)

    def metrics_of(self, source_id: int) -> set[str]:
        """What plans are about, of a source."""
        return self._metrics.get(source_id, set())

    def asking(self, source_id: int, metric: str, labels: Labels) -> Iterator[Asking]:
        """Whoever may want a series; whether its other labels are right is yet to be seen."""
        for label in (None, *labels):
            yield from self._asking.get((source_id, metric, label), ())
