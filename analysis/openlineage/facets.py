"""The facets that we read and write: https://openlineage.io/spec/facets. Each is named as in an event."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

_FACETS = "https://openlineage.io/spec/facets"
SCHEMA_URLS = {
    "schema": f"{_FACETS}/1-1-1/SchemaDatasetFacet.json",
    "columnLineage": f"{_FACETS}/1-2-0/ColumnLineageDatasetFacet.json",
    "dataQualityMetrics": f"{_FACETS}/1-0-0/DataQualityMetricsDatasetFacet.json",
    "inputDataQualityMetrics": f"{_FACETS}/1-0-2/DataQualityMetricsInputDatasetFacet.json",
    "dataQualityAssertions": f"{_FACETS}/1-0-1/DataQualityAssertionsDatasetFacet.json",
    "outputStatistics": f"{_FACETS}/1-0-2/OutputStatisticsOutputDatasetFacet.json",
    "documentation": f"{_FACETS}/1-0-1/DocumentationDatasetFacet.json",
    "ownership": f"{_FACETS}/1-0-1/OwnershipDatasetFacet.json",
    "tags": f"{_FACETS}/1-0-0/TagsDatasetFacet.json",
    "dataSource": f"{_FACETS}/1-0-1/DatasourceDatasetFacet.json",
    "sql": f"{_FACETS}/1-0-1/SQLJobFacet.json",
    "errorMessage": f"{_FACETS}/1-0-1/ErrorMessageRunFacet.json",
}


class _Facet(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Unknown fields are ignored."""


class SchemaField(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    name: str
    type: str | None = None
    description: str | None = None


class Schema(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    fields: list[SchemaField] = []


class LineageTransformation(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`type` is DIRECT or INDIRECT, `subtype` says more."""

    type: str
    subtype: str | None = None
    description: str | None = None
    masking: bool = False


class InputField(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    namespace: str
    name: str
    field: str
    transformations: list[LineageTransformation] = []


class FieldLineage(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The last two are how it was said before there were `transformations`: IDENTITY or MASKED."""

    input_fields: list[InputField]
    transformation_description: str | None = None
    transformation_type: str | None = None


class ColumnLineage(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where each field comes from; `dataset` is what decides on all of it, such as filters."""

    fields: dict[str, FieldLineage] = {}
    dataset: list[InputField] = []


class ColumnMetrics(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What was counted of one column. `quantiles` by their fraction: `{"0.5": 12.0}`."""

    null_count: int | None = None
    distinct_count: int | None = None
    sum: float | None = None
    count: float | None = None
    min: float | None = None
    max: float | None = None
    quantiles: dict[str, float] | None = None


class DataQualityMetrics(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    row_count: int | None = None
    bytes: int | None = None
    file_count: int | None = None
    last_updated: datetime | None = None
    column_metrics: dict[str, ColumnMetrics] = {}


class Assertion(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A quality rule and whether it held."""

    assertion: str
    success: bool
    column: str | None = None


class DataQualityAssertions(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    assertions: list[Assertion] = []


class OutputStatistics(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    row_count: int | None = None
    size: int | None = None
    file_count: int | None = None


class Documentation(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    description: str


class Owner(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`name` as `user:ada` or `team:sales`."""

    name: str
    type: str | None = None


class Ownership(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    owners: list[Owner] = []


class Tag(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A tag of the dataset, or of one field of it."""

    key: str
    value: str
    source: str | None = None
    field: str | None = None


class Tags(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    tags: list[Tag] = []


class Sql(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    query: str
    dialect: str | None = None


class ErrorMessage(_Facet, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    message: str
    programming_language: str = "SQL"
    stack_trace: str | None = None


def emitted(name: str, content: _Facet, producer: str, *, schema: str | None = None) -> dict[str, Any]:
    """A facet as an event holds it. Required fields stay, also where they are empty; figures that are no numbers go."""
    plain: dict[str, Any] = msgspec.to_builtins(content)
    for field, empty in _REQUIRED.get(type(content), {}).items():
        plain.setdefault(field, copy.copy(empty))
    _drop_non_numbers(plain)
    return {"_producer": producer, "_schemaURL": schema or SCHEMA_URLS[name], **plain}


def custom(content: Mapping[str, Any], producer: str, schema_url: str) -> dict[str, Any]:
    """A facet of our own, which others ignore: `schema_url` is where it is described."""
    return {"_producer": producer, "_schemaURL": schema_url, **content}


_REQUIRED: dict[type[_Facet], dict[str, Any]] = {
    Schema: {"fields": []},
    ColumnLineage: {"fields": {}},
    DataQualityMetrics: {"columnMetrics": {}},
    DataQualityAssertions: {"assertions": []},
    ErrorMessage: {"programmingLanguage": "SQL"},
}


def _drop_non_numbers(plain: dict[str, Any]) -> None:
    """JSON has neither NaN nor infinity."""
    for key, value in list(plain.items()):
        if isinstance(value, float) and not math.isfinite(value):
            del plain[key]
        elif isinstance(value, dict):
            _drop_non_numbers(value)
