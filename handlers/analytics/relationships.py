"""How columns of a dataset depend on each other, and on those of other datasets of its source."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated

from msgspec import Meta

from analysis.relationships.findings import Relationships
from handlers.analytics.answers import Analysis
from handlers.analytics.asking import answer
from handlers.analytics.events import watched
from handlers.analytics.grounds import ground_of
from handlers.analytics.questions import Question
from handlers.analytics.tasks import AnalysisKind
from handlers.policy_views import views_of
from handlers.registry import Conflict, Context, Forbidden, Operation, Permission
from storage import catalog
from storage.catalog import Dataset

_Share = Annotated[float, Meta(ge=0, le=1)]


class GetRelationships(Question, frozen=True, kw_only=True):
    """Keys, dependencies, formulas and duplicates within the dataset; foreign keys and joins with `others` more.

    The others are datasets of the same source, the first by name of which access policies keep nothing back.
    `min_inclusion` is the share of rows that need a partner for a foreign key, `max_error` the share of rows that may
    break a dependency, `min_share` the share of rows for which a formula must hold.
    """

    others: Annotated[int, Meta(ge=0, le=50, description="How many other datasets of the source take part.")] = 8
    min_inclusion: _Share = 0.95
    max_error: _Share = 0.01
    min_share: _Share = 0.95
    min_containment: _Share = 0.5
    most_findings: Annotated[int, Meta(ge=1, le=2_000, description="Of each kind.")] = 200


async def get_relationships(context: Context, request: GetRelationships) -> Analysis[Relationships]:
    ground = await ground_of(context, request.dataset_id, request.columns)
    related = await _others(context, ground.dataset, request.others)
    return await answer(context, AnalysisKind.RELATIONSHIPS, request, ground, related=related)


async def _others(context: Context, dataset: Dataset, most: int) -> tuple[Dataset, ...]:
    def is_there(row: Dataset) -> bool:
        return row.missing_since is None and row.error_code is None and row.id != dataset.id

    return tuple(await _open(context, dataset, is_there, most))


async def open_datasets(context: Context, dataset: Dataset, names: Collection[str]) -> set[str]:
    """Those of these datasets of its source, by whole names, of which nothing is kept back from whoever asks."""
    async with context.parts.database.read() as connection:
        if (await views_of(context, connection, dataset.workspace_id, dataset.source_id)).are_open:
            return set(names)
    return {row.full_name for row in await _open(context, dataset, lambda row: row.full_name in names, len(names))}


async def _open(context: Context, dataset: Dataset, wanted: Callable[[Dataset], bool], most: int) -> list[Dataset]:
    """The first by name. One of which some is kept back would have to be read in another way."""
    found: list[Dataset] = []
    async with context.parts.database.read() as connection:
        rows = await catalog.list_of_source(connection, dataset.source_id)
        views = await views_of(context, connection, dataset.workspace_id, dataset.source_id)
        for row in filter(wanted, rows):
            if len(found) >= most:
                break
            if (await views.of(connection, row.schema or None, row.name)).is_open:
                found.append(row)
    return found


OPERATIONS = (
    Operation(
        "analytics.relationships",
        GetRelationships,
        Analysis[Relationships],
        get_relationships,
        "GET /analytics/relationships/{dataset_id}",
        Permission.SIGNED_IN,
        "Find keys, dependencies, duplicates and joins of a dataset.",
        errors=(Conflict, Forbidden),
        watched=watched(GetRelationships),
        stops_with_caller=True,
    ),
)
