"""The sources that are audited."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.catalogue import catalogue, kinds
from connectors.security.check import Check
from handlers.advisory_audit import version_checks
from handlers.registry import Conflict, InvalidRequest, NotFound
from handlers.security.encryption_audit import encryption_checks
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


def checks_for(kind: str) -> tuple[Check, ...]:
    """All checks that an audit of a source of this kind makes. Raises KeyError for one that cannot be audited."""
    return (*catalogue(kind), *version_checks(kind), *encryption_checks(kind))


def check_checks(asked: AuditJob, kinds: Collection[str]) -> None:
    """Raises InvalidRequest for the id of a check that sources of none of these kinds have."""
    known = {check.id for kind in kinds for check in checks_for(kind)}
    unknown = sorted(set(asked.checks or ()) - known)
    if unknown:
        raise InvalidRequest(
            f"checks: there is no check {unknown[0]!r} for these sources; `GET /security/checks` lists them.",
            code="unknown_check",
            details={"parameter": "checks", "unknown": unknown[:20]},
        )
