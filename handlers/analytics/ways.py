"""The kinds of analyses: what each computes, and what of a dataset its result may tell. Runs in a reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.frames import Frame
from connectors.connector import Connector
from connectors.datasets import Description
from handlers.analytics.computed import Computed
from handlers.analytics.stopping import Course
from handlers.analytics.tasks import AnalysisKind, Task


@dataclass(frozen=True, slots=True)
class Way:
    """How a kind of analysis is done.

    `compute` takes what was loaded, by label, and answers with a result, on a thread. `shows_levels`, `shows_numbers`:
    its result may tell values of categories, and of numbers and times. `at_source` may answer without reading rows;
    else it answers with notes. `tells` names the columns without whose values there is no answer; `is_whole` says
    whether there was time for all of a result.
    """

    compute: Callable[[Mapping[str, Frame], Task, Callable[[float, str], None], Callable[[], None]], Any]
    shows_levels: bool = True
    shows_numbers: bool = True
    tells: Callable[[Task, Frame], list[str]] = lambda _, __: []
    is_whole: Callable[[Any], bool] = lambda _: True
    at_source: Callable[[Connector, Description, Task, Course], Awaitable[Computed[Any] | list[str]]] | None = None


def way_of(kind: AnalysisKind) -> Way:
    """Loads what this kind needs and nothing else: each is a second of a reader's start."""
    match kind:
        case AnalysisKind.CORRELATIONS:
            from handlers.analytics import correlating  # noqa: PLC0415

            at_source = correlating.at_source
            return Way(correlating.compute, shows_levels=False, shows_numbers=False, at_source=at_source)
        case AnalysisKind.RELATIONSHIPS:
            from handlers.analytics import relating  # noqa: PLC0415

            return Way(relating.compute, shows_levels=False, shows_numbers=False, is_whole=relating.is_whole)
        case AnalysisKind.INSIGHTS:
            from handlers.analytics import finding  # noqa: PLC0415

            return Way(finding.compute, is_whole=finding.is_whole)
        case AnalysisKind.PREDICTIONS:
            from handlers.analytics import predicting  # noqa: PLC0415

            return Way(predicting.compute, tells=predicting.tells, is_whole=predicting.is_whole)
