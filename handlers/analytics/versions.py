"""Which content of a dataset an answer is about: asked of the source at most once in some seconds."""

from __future__ import annotations

import hashlib
import time

import msgspec

from connectors.datasets import ChangeMarker, ChangeMethod, DatasetRef
from handlers.analytics.tasks import ANSWERS_VERSION
from handlers.computations import Progress, Underway
from handlers.parts import Parts
from handlers.registry import Unavailable
from handlers.source_access import answering_for_source
from storage.catalog import Dataset
from storage.data_sources import DataSource

# Who asks again within this gets the same answer without a look at the source.
MARKER_SECONDS = 5.0
# Some sources count or sum all rows for it, within their own time limit.
PATIENCE_SECONDS = 120.0
# Whoever watches has an answer meanwhile, and others wait for their turn to be looked after.
PATIENCE_FOR_WATCHERS = 5.0
# Where a source cannot tell changes, an answer holds for this long.
BLIND_SECONDS = 60.0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The content that was looked at, by how the source tells changes.

    `method` none: the source cannot tell, and answers are given again for a minute. `blind_to` says what the method
    does not see.
    """

    method: str
    value: str | None
    blind_to: str | None


async def version_of(parts: Parts, source: DataSource, dataset: Dataset, *, wait: float = PATIENCE_SECONDS) -> Version:
    """Raises OperationError for what is wrong with the source, and where it does not say within `wait` seconds."""
    key = ("marker", dataset.id, source.updated_at)
    kept = parts.computations.kept.get(key, max_age=MARKER_SECONDS)
    if isinstance(kept, Version):
        return kept

    async def look(_: Progress) -> Version:
        with answering_for_source():
            async with parts.sources.use(source.id) as connector:
                marker = await connector.change_marker(DatasetRef(dataset.schema or None, dataset.name))
        version = _version(marker)
        parts.computations.kept.put(key, version, 500)
        return version

    try:
        # However many ask at once, the source is asked once.
        return await parts.computations.get(key, look, wait=wait)
    except Underway:
        raise Unavailable("The source does not say in time whether the dataset changed; try again.") from None


def _version(marker: ChangeMarker) -> Version:
    if marker.value is None:
        # The same for everybody who asks within the same minute.
        period = str(int(time.time() // BLIND_SECONDS))
        return Version(method=ChangeMethod.NONE.value, value=period, blind_to=marker.blind_to)
    return Version(method=marker.method.value, value=marker.value, blind_to=marker.blind_to)


def digest_of(*parts: object) -> str:
    """A short name for what these are."""
    return hashlib.sha256(msgspec.json.encode([ANSWERS_VERSION, *parts])).hexdigest()[:32]
