"""Tables by name as nodes of a workspace's lineage: those of a source that is known, and external ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.lineage.names import TableName
from handlers.source_naming import open_lineage_id, table_name
from handlers.view_lineage import Dependency
from storage import lineage_edges
from storage.catalog import Name
from storage.data_sources import DataSource


class KnownTables:
    """The ids of a source's datasets by the names that its SQL has for them."""

    def __init__(self, ids: Mapping[Name, int]) -> None:
        self.ids: dict[TableName, int] = {table_name(*name): number for name, number in ids.items()}
        self._folded = {tuple(map(str.lower, name)): number for name, number in self.ids.items()}

    def find(self, name: TableName) -> int | None:
        # What could not be described is named as SQL wrote it, where letter case may be another.
        return self.ids.get(name) or self._folded.get(tuple(map(str.lower, name)))


class Nodes:
    """Makes external nodes of tables that the source does not show, in the caller's transaction."""

    def __init__(self, connection: AsyncConnection, source: DataSource, known: KnownTables, at: datetime) -> None:
        self._connection = connection
        self._source = source
        self._known = known
        self._at = at
        self._made: dict[TableName, str] = {}

    async def edge(self, dependency: Dependency) -> lineage_edges.Edge:
        source, target = await self.node(dependency.source), await self.node(dependency.target)
        return lineage_edges.Edge(
            source, dependency.source_column, target, dependency.target_column, dependency.kind, dependency.masking
        )

    async def node(self, name: TableName) -> str:
        number = self._known.find(name)
        if number is not None:
            return lineage_edges.dataset_node(number)
        if name not in self._made:
            named = open_lineage_id(self._source, ".".join(name[:-1]), name[-1] if name else "")
            made = await lineage_edges.ensure_external(
                self._connection, self._source.workspace_id, named.namespace, named.name, at=self._at
            )
            self._made[name] = lineage_edges.external_node(made.id)
        return self._made[name]
