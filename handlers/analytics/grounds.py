"""What there is to know before a dataset is analysed: where it is, what of it must not be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.access_policies.policies import Effect
from analysis.access_policies.views import View
from connectors.datasets import Kind
from handlers.analytics.answers import Verdict, shown_verdict
from handlers.dataset_access import require_dataset
from handlers.policy_views import views_of
from handlers.registry import Conflict, Context, InvalidRequest, NotFound, Permission
from storage import analytics, catalog, data_sources, scan_results, scans
from storage.catalog import Column, Dataset
from storage.data_sources import DataSource

# What people call so is not shown.
_CONCEALED = frozenset({"confidential", "restricted"})
_MOST_FINDINGS = 20_000


@dataclass(frozen=True, slots=True)
class Ground:
    """A dataset, its source and columns, why values of some are hidden, and what was said of findings.

    `view` is what whoever asks sees; `columns` are those of which something may be told.
    """

    dataset: Dataset
    source: DataSource
    columns: Sequence[Column]
    hidden: dict[str, str]
    verdicts: Sequence[Verdict]
    view: View

    @property
    def kind(self) -> Kind:
        """Of the source."""
        return Kind(self.source.kind)


async def ground_of(
    context: Context, dataset_id: int, columns: Sequence[str] | None, *, is_missing_allowed: bool = False
) -> Ground:
    """Raises NotFound, Forbidden; Conflict for a dataset that is gone, InvalidRequest for an unknown column."""
    dataset = await require_dataset(context, dataset_id, Permission.READ)
    async with context.parts.database.read() as connection:
        source = await data_sources.get(connection, dataset.source_id)
        if source is None:
            raise NotFound(f"There is no dataset {dataset_id}, or you are not a member of its workspace.")
        known = (await catalog.columns_of(connection, [dataset.id])).get(dataset.id, [])
        hidden = await _hidden(connection, dataset, known)
        views = await views_of(context, connection, dataset.workspace_id, dataset.source_id)
        view = await views.of(connection, dataset.schema or None, dataset.name)
        hidden = {column.name: view.why(column.name) for column in known if view.effect_on(column.name)} | hidden
        known = [column for column in known if view.effect_on(column.name) is not Effect.HIDE]
        verdicts = await analytics.verdicts_of(connection, dataset.id)
    if dataset.missing_since is not None and not is_missing_allowed:
        since = f"{dataset.missing_since:%Y-%m-%d %H:%M} UTC"
        raise Conflict(f"{dataset.full_name!r} is gone from its source since {since}.", code="dataset_missing")
    require_columns("columns", columns or (), known, dataset)
    return Ground(dataset, source, known, hidden, [shown_verdict(row) for row in verdicts], view)


def require_columns(parameter: str, names: Sequence[str], known: Sequence[Column], dataset: Dataset) -> None:
    """Raises InvalidRequest for the first that the catalog does not know, or that is named again.

    What the catalog never described is not checked.
    """
    named, most = Counter(names).most_common(1)[0] if names else ("", 1)
    if most > 1:
        raise InvalidRequest(f"{parameter}: {named!r} is named twice.", details={"parameter": parameter})
    there = {column.name for column in known}
    for name in names:
        if there and name not in there:
            raise InvalidRequest(
                f"{parameter}: {dataset.full_name!r} has no column {name!r}.",
                code="no_such_column",
                details={"parameter": parameter, "known": sorted(there)[:100]},
            )


async def _hidden(connection: AsyncConnection, dataset: Dataset, columns: Sequence[Column]) -> dict[str, str]:
    """By column: what the last scan took its values for, or what people said."""
    found: dict[str, list[str]] = {}
    mark = await scans.mark_of(connection, dataset.source_id, scans.digest_of(dataset.schema or None, dataset.name))
    if mark is not None:
        results = await scan_results.list_of(
            connection, mark.scan_id, dataset=dataset.full_name, kind="classification", limit=_MOST_FINDINGS
        )
        for result in results:
            if result.column_name is not None:
                title = msgspec.json.decode(result.body).get("title") or "sensitive data"
                found.setdefault(result.column_name, []).append(title)
    for column in columns:
        if column.sensitivity in _CONCEALED:
            found.setdefault(column.name, []).append(f"what is {column.sensitivity}")
        elif dataset.sensitivity == "restricted":
            found.setdefault(column.name, []).append("part of a restricted dataset")
    return {name: ", ".join(dict.fromkeys(titles)) for name, titles in found.items()}
