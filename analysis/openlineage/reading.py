"""Lineage out of events that others sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analysis.lineage.edges import Edge, Influence, Kind, Problem
from analysis.lineage.names import ColumnRef
from analysis.openlineage.events import AnyEvent, Dataset, DatasetEvent, EventError, EventType, RunEvent, facet
from analysis.openlineage.facets import ColumnLineage, FieldLineage, InputField, LineageTransformation
from analysis.openlineage.naming import DatasetId, canonical

# A run that failed wrote nothing that could be relied on.
_WITHOUT_LINEAGE = (EventType.ABORT, EventType.FAIL)
_KINDS = {kind.value: kind for kind in Kind if kind is not Kind.REFERENCE}


@dataclass(frozen=True, slots=True)
class EventLineage:
    """What an event says. Tables are (namespace, name), in their canonical form.

    `flows` are the pairs of datasets between which something goes, whether or not their columns are known.
    """

    inputs: tuple[DatasetId, ...] = ()
    outputs: tuple[DatasetId, ...] = ()
    flows: tuple[tuple[DatasetId, DatasetId], ...] = ()
    edges: tuple[Edge, ...] = ()
    influences: tuple[Influence, ...] = ()
    problems: tuple[Problem, ...] = ()


def lineage_of_event(event: AnyEvent) -> EventLineage:
    """The lineage that an event tells of. A facet that makes no sense is a problem, not a failure."""
    inputs, outputs = _datasets(event)
    if isinstance(event, RunEvent) and event.event_type in _WITHOUT_LINEAGE:
        return EventLineage()
    edges: set[Edge] = set()
    influences: set[Influence] = set()
    problems: dict[Problem, None] = {}
    for dataset in outputs:
        for each in _of_dataset(dataset, problems):
            (edges if isinstance(each, Edge) else influences).add(each)  # type: ignore[arg-type]
    flows = _flows(inputs, outputs, edges, influences)
    return EventLineage(
        tuple(canonical(dataset.id) for dataset in inputs),
        tuple(canonical(dataset.id) for dataset in outputs),
        tuple(flows),
        tuple(sorted(edges)),
        tuple(sorted(influences)),
        tuple(problems),
    )


def _datasets(event: AnyEvent) -> tuple[list[Dataset], list[Dataset]]:
    if isinstance(event, DatasetEvent):
        return [], [event.dataset]
    return event.inputs, event.outputs


def _of_dataset(dataset: Dataset, problems: dict[Problem, None]) -> Iterator[Edge | Influence]:
    try:
        lineage = facet(dataset.facets, "columnLineage", ColumnLineage)
    except EventError as error:
        problems[Problem("bad_facet", str(error), dataset.name)] = None
        return
    if lineage is None:
        return
    table = canonical(dataset.id)
    for name, field in lineage.fields.items():
        for source in field.input_fields:
            for kind, masking in _uses(source, field, name, problems):
                yield Edge(_column(source), ColumnRef(table, name), kind, masking)
    for source in lineage.dataset:
        for kind, _ in _uses(source, None, dataset.name, problems):
            yield Influence(_column(source), table, kind)


def _column(source: InputField) -> ColumnRef:
    return ColumnRef(canonical(DatasetId(source.namespace, source.name)), source.field)


def _uses(
    source: InputField, field: FieldLineage | None, name: str, problems: dict[Problem, None]
) -> Iterable[tuple[Kind, bool]]:
    """How the input is used; by the older words where there are no newer."""
    if source.transformations:
        for each in source.transformations:
            yield _kind(each, name, problems), each.masking
    elif field is not None and field.transformation_type == "IDENTITY":
        yield Kind.IDENTITY, False
    elif field is not None and field.transformation_type == "MASKED":
        yield Kind.TRANSFORMATION, True
    else:
        problems[Problem("unknown_kind", f"How {name!r} depends on {source.field!r} is not said.", name)] = None
        yield Kind.TRANSFORMATION, False


def _kind(transformation: LineageTransformation, name: str, problems: dict[Problem, None]) -> Kind:
    kind = _KINDS.get((transformation.subtype or "").upper())
    is_direct = transformation.type.upper() != "INDIRECT"
    if kind is not None and kind.is_direct == is_direct:
        return kind
    shown = f"{transformation.type} {transformation.subtype or ''}".strip()
    problems[Problem("unknown_kind", f"{name!r} depends in a way that is not known: {shown!r}.", name)] = None
    return Kind.TRANSFORMATION if is_direct else Kind.CONDITIONAL


def _flows(
    inputs: list[Dataset], outputs: list[Dataset], edges: set[Edge], influences: set[Influence]
) -> Iterator[tuple[DatasetId, DatasetId]]:
    """Every input into every output, unless an output's columns say from which."""
    said: dict[DatasetId, dict[DatasetId, None]] = {}
    for edge in sorted(edges):
        said.setdefault(DatasetId(*edge.target.table), {})[DatasetId(*edge.source.table)] = None
    for influence in sorted(influences):
        said.setdefault(DatasetId(*influence.target), {})[DatasetId(*influence.source.table)] = None
    for dataset in outputs:
        target = canonical(dataset.id)
        for source in said.get(target) or dict.fromkeys(canonical(each.id) for each in inputs):
            yield source, target
