"""Figures of an exporter: its page in Prometheus' text, asked for over HTTP where the server may send requests to."""

from __future__ import annotations

import asyncio

import numpy as np

from connectors.errors import StatementFailed, Unreachable
from handlers.exposition import ACCEPT, OPEN_METRICS, BadExposition, ExpositionReader
from handlers.gathered_samples import Decoded, Window
from handlers.outgoing import NotAllowed, OutgoingHttp, SendError
from handlers.performance.collection_settings import ExporterCredentials
from storage.samples.columns import SampleColumns

# Of a large server some hundred kilobytes; more than this is no page of figures.
MOST_BYTES = 8 * 1024 * 1024
SECONDS = 8.0
# Samples with times of their own may come late, but not from another day.
_OLDEST_MS = 3_600_000
_NEWEST_MS = 600_000


class Scraper:
    """Asks one exporter, and remembers its series."""

    def __init__(self, http: OutgoingHttp, exporter: ExporterCredentials) -> None:
        self._http = http
        self._exporter = exporter
        self._reader = ExpositionReader()
        self._last: SampleColumns | None = None

    async def scrape(self, at_ms: int) -> Decoded:
        """The samples of now; tell `stored` once they are. Raises ConnectorError."""
        headers = {"Accept": ACCEPT}
        if self._exporter.token is not None:
            headers["Authorization"] = f"Bearer {self._exporter.token}"
        try:
            answer = await self._http.get(self._exporter.url, headers, answer_bytes=MOST_BYTES + 1, seconds=SECONDS)
        except (NotAllowed, SendError) as error:
            raise Unreachable(f"the exporter cannot be asked: {error}") from None
        if not answer.is_success:
            raise Unreachable(f"the exporter answered with the status {answer.status}")
        if len(answer.body) > MOST_BYTES:
            raise StatementFailed(f"the exporter's page has more than {MOST_BYTES} bytes")
        window = Window(at_ms - _OLDEST_MS, at_ms + _NEWEST_MS)
        is_open = answer.media_type.startswith(OPEN_METRICS)
        try:
            return await asyncio.to_thread(self._reader.read, answer.body, at_ms, window, open_metrics=is_open)
        except BadExposition as error:
            raise StatementFailed(f"the exporter's page cannot be read: {error}") from None

    def stored(self, decoded: Decoded) -> None:
        """What was scraped is on disk."""
        decoded.confirm()
        self._last = decoded.columns

    def interrupted(self, at_ms: int) -> SampleColumns | None:
        """Gap markers on all series of the page before, once: the exporter does not answer. None without any."""
        last, self._last = self._last, None
        if last is None:
            return None
        count = len(last.keys)
        index = np.arange(count, dtype=np.int32)
        return SampleColumns(last.keys, index, np.full(count, at_ms, np.int64), np.full(count, np.nan))
