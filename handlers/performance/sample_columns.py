"""From figures to the columns that samples are stored in; the same series has the same key again and again."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from connectors.performance.epochs import Sample
from connectors.performance.figures import Figure, Labels
from handlers.series_keys import UnfitSeries, series_key
from storage.samples.columns import SampleColumns, SeriesKey

logger = logging.getLogger(__name__)

# Of a source whose tables come and go all the time, old keys are forgotten together.
_MOST_KEYS = 50_000


class Columns:
    """Makes columns, and keeps the keys of series that it has seen."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, Labels, str, str], SeriesKey | None] = {}

    def of(self, samples: Iterable[Sample]) -> SampleColumns:
        """The columns of these samples. A name that no series may have is left out, and logged once."""
        if len(self._keys) > _MOST_KEYS:
            self._keys.clear()
        places: dict[SeriesKey, int] = {}
        rows = []
        for at_ms, figure in ((sample.at_ms, sample.figure) for sample in samples):
            key = self._key(figure)
            if key is not None:
                rows.append((places.setdefault(key, len(places)), at_ms, figure.value))
        index, at, values = zip(*rows, strict=True) if rows else ((), (), ())
        return SampleColumns(
            list(places), np.array(index, np.int32), np.array(at, np.int64), np.array(values, np.float64)
        )

    def _key(self, figure: Figure) -> SeriesKey | None:
        known = figure[:4]
        if known not in self._keys:
            try:
                self._keys[known] = series_key(figure.metric, figure.labels, figure.kind, figure.unit)
            except UnfitSeries as error:
                logger.warning("a figure of a source cannot be stored: %s", error)
                self._keys[known] = None
        return self._keys[known]
