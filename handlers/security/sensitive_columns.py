"""The columns that hold sensitive data, out of what scans found and what people say; never a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.access_policies.deciding import ColumnFacts, DatasetFacts
from analysis.sensitive.findings import Finding
from storage import catalog_labels, sensitive_columns
from storage.catalog_labels import NOTHING
from storage.sensitive_columns import Name

# Of a workspace; with more than these the answer says that it is cut.
MOST_FINDINGS = 50_000
# What people say of a column that nothing was found in, and that makes it sensitive all the same.
SAID_SENSITIVE = frozenset({"confidential", "restricted"})


@dataclass(slots=True)
class SensitiveColumn:
    """`findings` are empty for a column that only people say is sensitive."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    sensitivity: str | None = None
    tags: list[str] = field(default_factory=list)

    @property
    def is_sensitive(self) -> bool:
        """Whether something was found, or people say so; a tag alone says what it pleases."""
        return bool(self.findings) or self.sensitivity in SAID_SENSITIVE


@dataclass(slots=True)
class SensitiveDataset:
    """`id` is None for one that the catalog does not have; `looked_at` is None for one that no scan looked at.

    `columns` are the sensitive ones, by name. `scan_id` is the scan that found them.
    """

    source_id: int
    schema: str
    name: str
    id: int | None = None
    sensitivity: str | None = None
    tags: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    looked_at: datetime | None = None
    scan_id: int | None = None
    columns: dict[str, SensitiveColumn] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def facts(self, source_tags: Iterable[str]) -> DatasetFacts:
        """As access policies are decided by."""
        columns = {
            column.name: ColumnFacts(
                frozenset(column.tags),
                frozenset(word for one in column.findings for word in (one.type, str(one.category))),
                column.sensitivity,
            )
            for column in self.columns.values()
        }
        return DatasetFacts(self.full_name, frozenset(source_tags) | set(self.tags), self.sensitivity, columns)


@dataclass(frozen=True, slots=True)
class Gathered:
    """All datasets that the catalog has or a scan looked at. `is_cut`: there is more than was read."""

    datasets: list[SensitiveDataset]
    is_cut: bool


async def gathered(
    connection: AsyncConnection, workspace_id: str, source_id: int | None = None, *, with_tagged: bool = False
) -> Gathered:
    """Of a workspace, or of one of its sources; `with_tagged`, with columns that only have a tag."""
    found = await sensitive_columns.classified(connection, workspace_id, source_id=source_id, limit=MOST_FINDINGS + 1)
    looked_at = await sensitive_columns.looked_at(connection, workspace_id, source_id=source_id)
    datasets = {of: SensitiveDataset(*of, looked_at=at) for of, at in looked_at.items()}
    for one in found[:MOST_FINDINGS]:
        dataset = datasets.setdefault(one.of, SensitiveDataset(*one.of, looked_at=one.read_at))
        dataset.scan_id = one.scan_id
        column = dataset.columns.setdefault(one.column, SensitiveColumn(one.column))
        column.findings.append(msgspec.json.decode(one.body, type=Finding))
    await _add_what_people_say(connection, workspace_id, source_id, datasets, with_tagged=with_tagged)
    ordered = sorted(datasets.values(), key=lambda each: (each.source_id, each.schema, each.name))
    return Gathered(ordered, len(found) > MOST_FINDINGS)


async def _add_what_people_say(
    connection: AsyncConnection,
    workspace_id: str,
    source_id: int | None,
    datasets: dict[Name, SensitiveDataset],
    *,
    with_tagged: bool,
) -> None:
    known = await sensitive_columns.known_datasets(connection, workspace_id, source_id=source_id)
    said = await sensitive_columns.said_of_columns(connection, workspace_id, source_id=source_id)
    by_id: dict[int, SensitiveDataset] = {}
    for one in known:
        of = (one.source_id, one.schema, one.name)
        dataset = datasets.setdefault(of, SensitiveDataset(*of))
        dataset.id, dataset.sensitivity = one.id, one.sensitivity
        by_id[one.id] = dataset
        for name, level in said.get(one.id, {}).items():
            if name in dataset.columns or level in SAID_SENSITIVE:
                dataset.columns.setdefault(name, SensitiveColumn(name)).sensitivity = level
    labels = await catalog_labels.of_datasets(connection, by_id)
    for dataset_id, of_columns in labels.items():
        dataset = by_id[dataset_id]
        own = of_columns.get("", NOTHING)
        dataset.tags, dataset.owners = own.tags, own.owners
        for name, said_of_it in of_columns.items():
            if with_tagged and name and said_of_it.tags:
                dataset.columns.setdefault(name, SensitiveColumn(name))
        for name, column in dataset.columns.items():
            column.tags = of_columns.get(name, NOTHING).tags
