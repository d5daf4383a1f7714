"""What has to be read for a question: which series, and which values of each."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.timeseries.grid import Grid
from handlers.performance.grouping import is_histogram
from handlers.performance.planning import require_few
from handlers.performance.questions import GetMetrics, bucket_of
from handlers.performance.ranges import LONGEST_MS, duration_ms
from handlers.performance.reading import NEWEST, Layer
from handlers.performance.selectors import Selector, read_selectors
from handlers.registry import InvalidRequest
from storage.samples.columns import Series

VALUES, LOW, HIGH = "values", "low", "high"
_GROWTHS = ("rate", "increase")


def selectors_of(request: GetMetrics) -> tuple[Selector, ...] | None:
    """What the question is about; a percentile of a metric is one of its histogram, too. Raises InvalidRequest."""
    if request.metrics is None:
        return None
    selectors = read_selectors(request.metrics)
    if request.quantile is None:
        return selectors
    buckets = (Selector(f"{each.name}_bucket", each.matchers) for each in selectors if each.is_exact)
    return (*selectors, *buckets)


def check(request: GetMetrics) -> None:
    """Raises InvalidRequest where parts of the question do not go together, or one makes no sense."""
    offset = None if request.compare is None else duration_ms(request.compare)
    if offset is not None and offset > LONGEST_MS:
        message = f"Nothing is kept for as long as {request.compare}; compare with `previous`, `1d` or `7d`."
        raise InvalidRequest(message, code="bad_comparison", details={"parameter": "compare"})
    if request.downsample is not None and (request.compare is not None or request.band):
        raise InvalidRequest(
            "compare and band are told for every step, and downsample leaves steps out; ask for one or the other.",
            details={"parameter": "downsample"},
        )


def layers_for(request: GetMetrics, series: Sequence[Series], grid: Grid, width: int) -> dict[str, Layer]:
    """What has to be read of the series. Raises InvalidRequest where that makes no sense, or too many values."""
    wanted = tuple("increase" if is_histogram(request, each) else bucket_of(request, each.key.kind) for each in series)
    for each, bucket in zip(series, wanted, strict=True):
        if bucket in _GROWTHS and each.key.kind != "counter":
            message = f"{each.key.metric} is a gauge, which has no {bucket}; ask for avg, min, max or last of it."
            raise InvalidRequest(message, code="not_a_counter", details={"parameter": "bucket"})
    layers = {VALUES: Layer(wanted)}
    if request.aggregate == "last":
        layers[NEWEST] = Layer((NEWEST,) * len(series))
    if width > 1 and not request.combines:
        layers[LOW] = Layer(tuple("min" if bucket in ("avg", "last") else bucket for bucket in wanted))
        layers[HIGH] = Layer(tuple("max" if bucket in ("avg", "last") else bucket for bucket in wanted))
    require_few(len(series), grid, len(layers))
    return layers
