"""What whoever asks sees of the datasets of a source: every operation that shows values asks here first."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.access_policies.deciding import ColumnFacts, DatasetFacts, Viewer, concerns, view_of
from analysis.access_policies.patterns import may_meet
from analysis.access_policies.policies import Policy, Rights
from analysis.access_policies.views import OPEN, View
from handlers.registry import Context
from storage import access_policies, catalog, catalog_labels, latest_results
from storage.access_policies import AccessPolicy
from storage.catalog_labels import NOTHING

# What is told of to `changes` when a policy is another: answers that are watched are made anew.
TOPIC = "policies"
# Different ones of one source; beyond these they are not looked at, and columns are then as if by none.
_MOST_FINDINGS = 50_000


async def viewer_of(context: Context, workspace_id: str) -> Viewer:
    """Whoever asks. An answer that is made for nobody in particular is cut as for those who may see the least."""
    if context.principal is None:
        return Viewer(None, None)
    role = await context.parts.access.role_for(context.principal, workspace_id)
    return Viewer(context.principal.user_id, str(role) if role else None)


async def views_of(context: Context, connection: AsyncConnection, workspace_id: str, source_id: int) -> PolicyViews:
    """What whoever asks sees of the source's datasets."""
    return await views_for(connection, await viewer_of(context, workspace_id), workspace_id, source_id)


async def views_for(connection: AsyncConnection, viewer: Viewer, workspace_id: str, source_id: int) -> PolicyViews:
    rows = await access_policies.in_force(connection, workspace_id, source_id)
    policies = [each for each in map(policy_of, rows) if concerns(each, viewer)]
    return PolicyViews(viewer, source_id, policies)


def policy_of(row: AccessPolicy) -> Policy:
    rights = msgspec.json.decode(row.body, type=Rights)
    return Policy(id=row.id, name=row.name, dataset=row.dataset, rights=rights)


class PolicyViews:
    """One viewer's views of one source. Nothing is read where no policy concerns the viewer."""

    def __init__(self, viewer: Viewer, source_id: int, policies: list[Policy]) -> None:
        self.viewer = viewer
        self._source_id = source_id
        self._policies = policies
        self._views: dict[tuple[str | None, str], View] = {}
        self._classified: dict[tuple[str | None, str], dict[str, set[str]]] | None = None
        self._source_tags: frozenset[str] | None = None

    @property
    def are_open(self) -> bool:
        """Whether nothing of the whole source is kept back."""
        return not self._policies

    async def of(self, connection: AsyncConnection, schema: str | None, name: str) -> View:
        """The view of a dataset, whether or not the catalog has it."""
        if self.are_open:
            return OPEN
        key = (schema or None, name)
        if key not in self._views:
            facts = await self._facts(connection, *key)
            self._views[key] = view_of(self._policies, self.viewer, facts)
        return self._views[key]

    async def of_unknown(self, connection: AsyncConnection, pattern: str) -> View:
        """The view of datasets that the catalog does not have, and whose whole names are like the glob pattern."""
        # Of those that may be about one of them, the name is looked at here.
        policies = [
            msgspec.structs.replace(each, dataset=None)
            for each in self._policies
            if each.dataset is None or may_meet(each.dataset, pattern)
        ]
        return view_of(policies, self.viewer, DatasetFacts(pattern, await self._tags_of_source(connection)))

    async def _facts(self, connection: AsyncConnection, schema: str | None, name: str) -> DatasetFacts:
        full_name = f"{schema}.{name}" if schema else name
        classified = (await self._classifications(connection)).get((schema, name), {})
        tags = await self._tags_of_source(connection)
        row = await catalog.find(connection, self._source_id, schema, name)
        if row is None:
            columns = {column: ColumnFacts(classifications=frozenset(found)) for column, found in classified.items()}
            return DatasetFacts(full_name, tags, None, columns)
        labels = (await catalog_labels.of_datasets(connection, [row.id])).get(row.id, {})
        # Columns that are gone stand in results of earlier scans.
        known = (await catalog.columns_of(connection, [row.id], missing=None)).get(row.id, [])
        levels = {column.name: column.sensitivity for column in known}
        columns = {
            column: ColumnFacts(
                frozenset(labels.get(column, NOTHING).tags),
                frozenset(classified.get(column, ())),
                levels.get(column),
            )
            for column in [*levels, *(set(classified) - set(levels))]
        }
        return DatasetFacts(full_name, tags | set(labels.get("", NOTHING).tags), row.sensitivity, columns)

    async def _tags_of_source(self, connection: AsyncConnection) -> frozenset[str]:
        if self._source_tags is None:
            self._source_tags = frozenset(await catalog_labels.source_tags(connection, self._source_id))
        return self._source_tags

    async def _classifications(self, connection: AsyncConnection) -> dict[tuple[str | None, str], dict[str, set[str]]]:
        """Types and categories by dataset and column, where a policy chooses by them."""
        if self._classified is None:
            self._classified = {}
            if any(_chooses_by_classification(each) for each in self._policies):
                self._classified = await _classified(connection, self._source_id)
        return self._classified


def _chooses_by_classification(policy: Policy) -> bool:
    return policy.rights.columns is not None and bool(policy.rights.columns.classifications)


async def _classified(connection: AsyncConnection, source_id: int) -> dict[tuple[str | None, str], dict[str, set[str]]]:
    found: dict[tuple[str | None, str], dict[str, set[str]]] = {}
    for row in await latest_results.taken_for(connection, source_id, _MOST_FINDINGS):
        types = found.setdefault((row.schema_name or None, row.name), {}).setdefault(row.column_name, set())
        body = msgspec.json.decode(row.body)
        types.update(str(body[key]) for key in ("type", "category") if body.get(key))
    return found
