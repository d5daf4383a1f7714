"""Where sensitive data is, as clients see it: in numbers for whoever may read, column by column for who manages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from analysis.sensitive.findings import Category, Finding
from handlers.names import RowId
from handlers.registry import Instant
from handlers.security.readable_by import Seen, SourceAccess
from handlers.security.sensitive_columns import SensitiveColumn, SensitiveDataset


class TypeCount(msgspec.Struct, frozen=True, kw_only=True):
    """A type of sensitive data: in how many columns and datasets, and how sure that is, from the least to the most."""

    type: str
    title: str
    category: Category
    columns: int
    datasets: int
    least_confidence: float
    most_confidence: float


class SchemaCount(msgspec.Struct, frozen=True, kw_only=True):
    """`schema` is empty where a source has none."""

    schema: str
    columns: int
    datasets: int


class SensitiveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Sensitive columns in numbers; a column may be of several categories and types.

    Of `datasets`, `looked_at` were looked at for sensitive data, and of the others nothing is known. `only_labelled`
    are columns in which nothing was found, and of which people say that they are confidential or restricted.
    """

    datasets: int
    looked_at: int
    never_looked_at: int
    columns: int
    only_labelled: int
    categories: dict[Category, int]
    types: list[TypeCount]


class SourceFigures(SensitiveFigures, frozen=True, kw_only=True):
    """Of one source. `oldest_look` and `newest_look` are of the datasets that were looked at; null where none was."""

    data_source_id: RowId
    name: str
    kind: str
    schemas: list[SchemaCount]
    oldest_look: Instant | None
    newest_look: Instant | None


class FoundType(msgspec.Struct, frozen=True, kw_only=True):
    """What a column is of, or holds values of, and how that is known; see the results of scans."""

    type: str
    title: str
    category: Category
    verdict: Literal["is", "contains", "by name"]
    confidence: float
    how: str


class SensitiveColumnShown(msgspec.Struct, frozen=True, kw_only=True):
    """`source_readers` are those who can read it with a connection of their own; null where that is not known.

    `seen_here` are the members of the workspace, by what they see of it here. `tags` are its own.
    """

    dataset_id: RowId | None
    dataset: str
    column: str
    findings: list[FoundType]
    sensitivity: str | None
    tags: list[str]
    looked_at: Instant | None
    scan_id: RowId | None
    source_readers: list[str] | None
    seen_here: list[Seen]


class ColumnEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Column by column. `never_looked_at` are datasets in which nobody looked yet, the first of them by name."""

    source_access: SourceAccess
    columns: list[SensitiveColumnShown]
    never_looked_at: list[str]


MOST_NAMES = 500


def figures_of(datasets: Sequence[SensitiveDataset]) -> SensitiveFigures:
    columns = [column for dataset in datasets for column in dataset.columns.values()]
    looked_at = sum(dataset.looked_at is not None for dataset in datasets)
    return SensitiveFigures(
        datasets=len(datasets),
        looked_at=looked_at,
        never_looked_at=len(datasets) - looked_at,
        columns=len(columns),
        only_labelled=sum(not column.findings for column in columns),
        categories={category: sum(category in _categories(column) for column in columns) for category in Category},
        types=_types(datasets),
    )


def source_figures(source_id: int, name: str, kind: str, datasets: Sequence[SensitiveDataset]) -> SourceFigures:
    figures = figures_of(datasets)
    looks = [dataset.looked_at for dataset in datasets if dataset.looked_at is not None]
    return SourceFigures(
        **{field: getattr(figures, field) for field in SensitiveFigures.__struct_fields__},
        data_source_id=source_id,
        name=name,
        kind=kind,
        schemas=_schemas(datasets),
        oldest_look=min(looks, default=None),
        newest_look=max(looks, default=None),
    )


def _categories(column: SensitiveColumn) -> set[Category]:
    return {one.category for one in column.findings}


def _types(datasets: Iterable[SensitiveDataset]) -> list[TypeCount]:
    """The most frequent first."""
    found: dict[str, list[tuple[Finding, SensitiveDataset]]] = {}
    for dataset in datasets:
        for column in dataset.columns.values():
            for one in column.findings:
                found.setdefault(one.type, []).append((one, dataset))
    counts = [
        TypeCount(
            type=kind,
            title=places[0][0].title,
            category=places[0][0].category,
            columns=len(places),
            datasets=len({id(dataset) for _, dataset in places}),
            least_confidence=min(one.confidence for one, _ in places),
            most_confidence=max(one.confidence for one, _ in places),
        )
        for kind, places in found.items()
    ]
    return sorted(counts, key=lambda one: (-one.columns, one.type))


def _schemas(datasets: Iterable[SensitiveDataset]) -> list[SchemaCount]:
    """Those with sensitive columns, by name."""
    found: dict[str, list[int]] = {}
    for dataset in datasets:
        if dataset.columns:
            found.setdefault(dataset.schema, []).append(len(dataset.columns))
    return [SchemaCount(schema=name, columns=sum(each), datasets=len(each)) for name, each in sorted(found.items())]


def shown_column(
    dataset: SensitiveDataset, column: SensitiveColumn, readers: list[str] | None, seen: list[Seen]
) -> SensitiveColumnShown:
    return SensitiveColumnShown(
        dataset_id=dataset.id,
        dataset=dataset.full_name,
        column=column.name,
        findings=[
            FoundType(
                type=one.type,
                title=one.title,
                category=one.category,
                verdict=one.verdict,
                confidence=one.confidence,
                how=one.how,
            )
            for one in column.findings
        ],
        sensitivity=column.sensitivity or dataset.sensitivity,
        tags=column.tags,
        looked_at=dataset.looked_at,
        scan_id=dataset.scan_id,
        source_readers=readers,
        seen_here=seen,
    )


def looked_at_text(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""
