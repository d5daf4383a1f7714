"""What visits to a source are made of: by its kind, its settings, and the exporter beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.datasets import Kind
from handlers.performance.collection_settings import TOP_STATEMENTS, opened, settings_of
from handlers.performance.exporter_visits import ExporterVisits
from handlers.performance.scraping import Scraper
from handlers.performance.statement_keeping import StatementKeeper
from handlers.performance.visiting import SourceVisits
from storage.metric_collections import Collected, Visits
from storage.sealing import WrongKey

if TYPE_CHECKING:
    from handlers.parts import Parts

logger = logging.getLogger(__name__)

# Which kinds tell something of themselves.
READ_KINDS = frozenset({Kind.POSTGRESQL, Kind.MYSQL, Kind.SQLITE, Kind.DUCKDB, Kind.FILES})


def visits_of(parts: Parts, collected: Collected, before: Visits | None, now: Callable[[], float]) -> SourceVisits:
    """The visits to a source from now on, going on from those before. `now` is in seconds since 1970."""
    settings = settings_of(collected.collection)
    top = TOP_STATEMENTS[settings.preset]
    has_statements = settings.statements and collected.kind in (Kind.POSTGRESQL, Kind.MYSQL)
    return SourceVisits(
        parts,
        collected,
        before,
        is_read=collected.kind in READ_KINDS,
        statements=StatementKeeper(parts.database, collected.source_id, top) if has_statements else None,
        exporter=_exporter_of(parts, collected, now),
        now=now,
    )


def _exporter_of(parts: Parts, collected: Collected, now: Callable[[], float]) -> ExporterVisits | None:
    try:
        credentials = opened(parts.sources.sealer, collected.collection)
    except WrongKey:
        logger.warning("the exporter of the source %d cannot be asked: its key is another", collected.source_id)
        return None
    if credentials is None:
        return None
    return ExporterVisits(parts, collected, Scraper(parts.outgoing.http, credentials), now=now)
