"""Datasets as OpenLineage and DCAT tell of them: gathered for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.openlineage.naming import DatasetId
from handlers.source_naming import open_lineage_id
from storage import catalog, catalog_labels, catalog_search, lineage_edges
from storage.catalog import Column, Dataset
from storage.catalog_labels import NOTHING, Labels
from storage.data_sources import DataSource
from storage.lineage_edges import External, Told, number_of


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one dataset. `labels` are by column, under the empty name those of the dataset."""

    row: Dataset
    source: DataSource
    columns: Sequence[Column]
    labels: dict[str, Labels]
    description: str
    edges: Sequence[Told]

    @property
    def said(self) -> Labels:
        return self.labels.get("", NOTHING)

    @property
    def id(self) -> DatasetId:
        return open_lineage_id(self.source, self.row.schema or None, self.row.name)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Facts of datasets, and what their edges come from."""

    facts: Sequence[Facts]
    datasets: dict[int, tuple[Dataset, DataSource | None]]
    externals: dict[int, External]

    def id_of(self, node: str) -> DatasetId:
        """What OpenLineage calls a node."""
        kind, number = number_of(node)
        if kind == "external":
            external = self.externals[number]
            return DatasetId(external.namespace, external.name)
        row, source = self.datasets[number]
        # Of a source that is deleted nobody knows any more where it was.
        return open_lineage_id(source, row.schema or None, row.name) if source else DatasetId("gone", row.full_name)


async def gather(connection: AsyncConnection, rows: Sequence[Dataset], sources: dict[int, DataSource]) -> Gathered:
    """`sources` are all of the workspace, by id."""
    ids = [row.id for row in rows]
    columns = await catalog.columns_of(connection, ids)
    labels = await catalog_labels.of_datasets(connection, ids)
    texts = await catalog_search.descriptions(connection, ids)
    edges: dict[str, list[Told]] = {}
    for told in await lineage_edges.into(connection, [lineage_edges.dataset_node(number) for number in ids]):
        edges.setdefault(told.edge.target_node, []).append(told)
    numbers = [number_of(told.edge.source_node) for each in edges.values() for told in each]
    others = await catalog.get_many(connection, {number for kind, number in numbers if kind == "dataset"} | set(ids))
    externals = await lineage_edges.externals(connection, {number for kind, number in numbers if kind == "external"})
    facts = [
        Facts(
            row,
            sources[row.source_id],
            columns.get(row.id, ()),
            labels.get(row.id, {}),
            texts[row.id].text if row.id in texts else "",
            edges.get(lineage_edges.dataset_node(row.id), ()),
        )
        for row in rows
    ]
    return Gathered(facts, {key: (row, sources.get(row.source_id)) for key, row in others.items()}, externals)
