"""Events out of what we know of datasets and their lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from analysis.lineage.edges import Edge, Influence, Kind
from analysis.lineage.names import TableName
from analysis.openlineage.events import (
    SPEC,
    Dataset,
    DatasetEvent,
    EventType,
    Facets,
    Job,
    JobEvent,
    Run,
    RunEvent,
)
from analysis.openlineage.facets import (
    SCHEMA_URLS,
    ColumnLineage,
    DataQualityAssertions,
    DataQualityMetrics,
    Documentation,
    ErrorMessage,
    FieldLineage,
    InputField,
    LineageTransformation,
    Owner,
    Ownership,
    Schema,
    SchemaField,
    Sql,
    Tag,
    Tags,
    emitted,
)
from analysis.openlineage.naming import DatasetId

IdOf = Callable[[TableName], DatasetId]


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What is known of a dataset; what is not is left out of events. `extra` are facets of our own by their names."""

    id: DatasetId
    fields: Sequence[SchemaField] = ()
    description: str | None = None
    owners: Sequence[Owner] = ()
    tags: Sequence[Tag] = ()
    metrics: DataQualityMetrics | None = None
    assertions: DataQualityAssertions | None = None
    lineage: ColumnLineage | None = None
    extra: Facets = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says it, and of when it is."""

    producer: str
    at: datetime


def column_lineage(edges: Iterable[Edge], influences: Iterable[Influence], id_of: IdOf) -> ColumnLineage:
    """The facet of one dataset from all that goes into it. Foreign keys are left out: no values flow along them."""
    fields: dict[str, dict[tuple[DatasetId, str], list[LineageTransformation]]] = {}
    for edge in sorted(set(edges)):
        if edge.kind is not Kind.REFERENCE:
            inputs = fields.setdefault(edge.target.column, {})
            source = (id_of(edge.source.table), edge.source.column)
            inputs.setdefault(source, []).append(_transformation(edge.kind, masking=edge.masking))
    dataset: dict[tuple[DatasetId, str], list[LineageTransformation]] = {}
    for influence in sorted(set(influences)):
        source = (id_of(influence.source.table), influence.source.column)
        dataset.setdefault(source, []).append(_transformation(influence.kind))
    return ColumnLineage(
        fields={name: FieldLineage(input_fields=_input_fields(inputs)) for name, inputs in fields.items()},
        dataset=_input_fields(dataset),
    )


def _transformation(kind: Kind, *, masking: bool = False) -> LineageTransformation:
    return LineageTransformation(type="DIRECT" if kind.is_direct else "INDIRECT", subtype=kind.value, masking=masking)


def _input_fields(sources: dict[tuple[DatasetId, str], list[LineageTransformation]]) -> list[InputField]:
    return [
        InputField(namespace=dataset.namespace, name=dataset.name, field=name, transformations=uses)
        for (dataset, name), uses in sources.items()
    ]


def facets_of(facts: DatasetFacts, producer: str) -> Facets:
    """All facets of a dataset that do not depend on a run."""
    known: dict[str, Any] = {}
    if facts.fields:
        known["schema"] = Schema(fields=list(facts.fields))
    if facts.description:
        known["documentation"] = Documentation(description=facts.description)
    if facts.owners:
        known["ownership"] = Ownership(owners=list(facts.owners))
    if facts.tags:
        known["tags"] = Tags(tags=list(facts.tags))
    if facts.metrics is not None:
        known["dataQualityMetrics"] = facts.metrics
    if facts.assertions is not None:
        known["dataQualityAssertions"] = facts.assertions
    if facts.lineage is not None:
        known["columnLineage"] = facts.lineage
    return {**{name: emitted(name, facet, producer) for name, facet in known.items()}, **facts.extra}


def dataset_event(facts: DatasetFacts, origin: Origin) -> DatasetEvent:
    """What is known of a dataset, as of now."""
    return DatasetEvent(
        event_time=origin.at,
        producer=origin.producer,
        schema_url=f"{SPEC}/DatasetEvent",
        dataset=_dataset(facts, origin.producer),
    )


def job_event(
    job: DatasetId, inputs: Iterable[DatasetFacts], outputs: Iterable[DatasetFacts], origin: Origin, *, sql: Sql | None
) -> JobEvent:
    """A job such as a view's definition: it is not run by us, but this is what it does."""
    facets = {} if sql is None else {"sql": emitted("sql", sql, origin.producer)}
    return JobEvent(
        event_time=origin.at,
        producer=origin.producer,
        schema_url=f"{SPEC}/JobEvent",
        job=Job(namespace=job.namespace, name=job.name, facets=facets),
        inputs=[_dataset(each, origin.producer) for each in inputs],
        outputs=[_dataset(each, origin.producer) for each in outputs],
    )


def scan_event(
    run_id: UUID,
    job: DatasetId,
    event_type: EventType,
    scanned: Iterable[DatasetFacts],
    origin: Origin,
    *,
    error: str | None = None,
) -> RunEvent:
    """A scan only reads: its datasets are inputs, with their figures also where consumers of runs look for them."""
    facets = {}
    if error is not None:
        facets["errorMessage"] = emitted("errorMessage", ErrorMessage(message=error), origin.producer)
    return RunEvent(
        event_time=origin.at,
        producer=origin.producer,
        schema_url=f"{SPEC}/RunEvent",
        event_type=event_type,
        run=Run(run_id=run_id, facets=facets),
        job=Job(namespace=job.namespace, name=job.name),
        inputs=[_input(each, origin.producer) for each in scanned],
    )


def _dataset(facts: DatasetFacts, producer: str) -> Dataset:
    return Dataset(namespace=facts.id.namespace, name=facts.id.name, facets=facets_of(facts, producer))


def _input(facts: DatasetFacts, producer: str) -> Dataset:
    own = {}
    if facts.metrics is not None:
        schema = SCHEMA_URLS["inputDataQualityMetrics"]
        own["dataQualityMetrics"] = emitted("dataQualityMetrics", facts.metrics, producer, schema=schema)
    return Dataset(
        namespace=facts.id.namespace, name=facts.id.name, facets=facets_of(facts, producer), input_facets=own
    )
