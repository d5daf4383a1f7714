"""The catalog of a workspace as DCAT 3 in JSON-LD."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import msgspec

from analysis.dcat.jsonld import datatype_of, to_jsonld
from analysis.dcat.records import Agent, Catalog, Column, Dataset, Distribution, ForeignKey, TableSchema
from handlers.catalog.facts import Facts, Gathered, gather
from handlers.catalog.openlineage import sources_of
from handlers.names import RowId, WorkspaceId
from handlers.registry import Binary, Context, Forbidden, NotFound, Operation, Permission, TooLarge
from storage import catalog_search, workspaces
from storage.catalog_search import Wanted
from storage.lineage_edges import number_of

JSON_LD = "application/ld+json"
# Some tens of megabytes; what is larger is exported source by source.
MOST_DATASETS = 10_000
_PAGE = 500


class ExportCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """All datasets that are there, of the workspace or of one of its sources."""

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None


async def export_catalog(context: Context, request: ExportCatalog) -> Binary:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    gathered = []
    wanted = Wanted(source_id=request.source_id)
    async with context.parts.database.read() as connection:
        workspace = await workspaces.get(connection, request.workspace_id)
        sources = await sources_of(connection, request.workspace_id)
        after, count = None, 0
        while True:
            hits = await catalog_search.find(
                connection, request.workspace_id, wanted, sort="name", after=after, limit=_PAGE
            )
            gathered.append(await gather(connection, [hit.dataset for hit in hits], sources))
            count += len(hits)
            if len(hits) < _PAGE:
                break
            if count >= MOST_DATASETS:
                raise TooLarge(
                    f"The catalog has more than {MOST_DATASETS} datasets; export it source by source (`source_id`).",
                    details={"limit": MOST_DATASETS},
                )
            after = (hits[-1].key, hits[-1].dataset.id)
    title = workspace.title if workspace else request.workspace_id
    return Binary(media_type=JSON_LD, data=await asyncio.to_thread(_document, request.workspace_id, title, gathered))


def _document(workspace_id: str, title: str, gathered: list[Gathered]) -> bytes:
    iri = f"urn:collab-studio:catalog:{quote(workspace_id)}"
    datasets = tuple(_dataset(facts) for each in gathered for facts in each.facts)
    modified = max((facts.row.changed_at for each in gathered for facts in each.facts), default=None)
    document: dict[str, Any] = to_jsonld(Catalog(iri=iri, title=title, modified=modified, datasets=datasets))
    return msgspec.json.encode(document)


def iri_of(dataset_id: int) -> str:
    """What a dataset is called in exports, for good: by its id."""
    return f"urn:collab-studio:dataset:{dataset_id}"


def _dataset(facts: Facts) -> Dataset:
    row = facts.row
    iri = iri_of(row.id)
    sources = dict.fromkeys(
        number
        for told in facts.edges
        for kind, number in (number_of(told.edge.source_node),)
        if kind == "dataset" and told.edge.kind != "REFERENCE" and number != row.id
    )
    return Dataset(
        iri=iri,
        title=row.full_name,
        identifier=f"{facts.id.namespace}/{facts.id.name}",
        description=facts.description or row.comment,
        keywords=tuple(facts.said.tags),
        themes=tuple(name for _, name in facts.said.terms),
        creators=tuple(Agent(name=owner) for owner in facts.said.owners),
        issued=row.first_seen_at,
        modified=row.modified_at or row.changed_at,
        access_rights=f"urn:collab-studio:sensitivity:{row.sensitivity}" if row.sensitivity else None,
        derived_from=tuple(iri_of(number) for number in sources),
        distributions=(_distribution(facts, iri),),
    )


def _distribution(facts: Facts, iri: str) -> Distribution:
    row = facts.row
    columns = tuple(
        Column(
            name=column.name,
            datatype=datatype_of(column.native_type),
            description=column.comment,
            required=not column.nullable,
        )
        for column in facts.columns
    )
    keys = tuple(
        ForeignKey(columns=tuple(key["columns"]), resource=target, referred_columns=tuple(key["target_columns"]))
        for key in row.keys.get("foreign_keys", ())
        if (target := _referred(facts, key)) is not None
    )
    primary_key = tuple(row.keys.get("primary_key", ()))
    return Distribution(
        iri=f"{iri}:distribution",
        title=facts.source.name,
        byte_size=row.bytes,
        table=TableSchema(columns=columns, primary_key=primary_key, foreign_keys=keys),
    )


def _referred(facts: Facts, key: dict[str, Any]) -> str | None:
    """The dataset that a foreign key refers to, as its edges know it."""
    for told in facts.edges:
        edge = told.edge
        kind, number = number_of(edge.source_node)
        is_it = edge.kind == "REFERENCE" and edge.target_column in key["columns"] and kind == "dataset"
        if is_it and edge.source_column in key["target_columns"]:
            return iri_of(number)
    return None


OPERATIONS = (
    Operation(
        "catalog.export",
        ExportCatalog,
        Binary,
        export_catalog,
        "GET /catalog/export",
        Permission.SIGNED_IN,
        "Export the catalog as DCAT 3 in JSON-LD.",
        errors=(Forbidden, NotFound, TooLarge),
        media_types=(JSON_LD,),
    ),
)
