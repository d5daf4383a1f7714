"""The sources that are audited."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.catalogue import kinds
from handlers.registry import Conflict, NotFound
from handlers.security.options import MOST_SOURCES, AuditJob
from storage import catalog_labels, data_sources
from storage.data_sources import DataSource


async def sources_asked(connection: AsyncConnection, workspace_id: str, asked: AuditJob) -> list[DataSource]:
    """Those of the workspace that are named, or have the tag. Raises NotFound where one is not, or none has it."""
    if asked.source_ids is not None:
        found = []
        for source_id in dict.fromkeys(asked.source_ids):
            source = await data_sources.get(connection, source_id)
            if source is None or source.workspace_id != workspace_id:
                raise NotFound(f"The workspace has no data source {source_id}.", code="no_such_source")
            found.append(source)
        return found
    assert asked.tag is not None
    tagged = await catalog_labels.sources_with_tag(connection, workspace_id, asked.tag, limit=MOST_SOURCES)
    sources = [await data_sources.get(connection, source_id) for source_id in tagged]
    if not sources:
        raise NotFound(f"No data source of the workspace has the tag {asked.tag!r}.", code="no_such_tag")
    return [source for source in sources if source is not None]


def check_kind(source: DataSource) -> None:
    """Raises Conflict for a source of a kind that there are no checks for."""
    known = [kind.value for kind in kinds()]
    if source.kind not in known:
        raise Conflict(
            f"The data source {source.id} is of the kind {source.kind!r}, for which there are no checks; there are some"
            f" for {', '.join(sorted(known))}.",
            code="kind_not_audited",
            details={"kinds": sorted(known)},
        )
