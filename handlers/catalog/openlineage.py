"""OpenLineage 2: events of others are taken in, and what the catalog knows is told as events."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.lineage.edges import Edge, Influence, Kind
from analysis.lineage.names import ColumnRef
from analysis.openlineage.events import AnyEvent, DatasetEvent, EventError, JobEvent, read_event
from analysis.openlineage.events import Dataset as EventDataset
from analysis.openlineage.events import Job as EventJob
from analysis.openlineage.facets import Owner, SchemaField, Sql, Tag
from analysis.openlineage.naming import DatasetId, canonical
from analysis.openlineage.reading import EventLineage, lineage_of_event
from analysis.openlineage.writing import DatasetFacts, Origin, column_lineage, dataset_event, job_event
from handlers.audit_trail import record
from handlers.catalog.facts import Facts, Gathered, gather
from handlers.catalog.showing import LineageProblem
from handlers.names import RowId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, InvalidRequest, NotFound, Operation, Page, Permission
from handlers.source_naming import dialect_of, open_lineage_id
from storage import catalog_search, data_sources, lineage_edges
from storage.catalog_search import Wanted
from storage.data_sources import DataSource

ORIGIN = "openlineage"
PRODUCER = "https://github.com/collab-studio"
_MOST_EVENTS = 1_000
_MOST_PROBLEMS = 100
_LONGEST_NAME = 1_000


class AcceptEvents(msgspec.Struct, frozen=True, kw_only=True):
    """The body is one event, or an array of up to 1,000 of them: all are taken, or none.

    What a job told before is replaced by what it tells now. Runs that failed or were aborted tell nothing.
    """

    body: dict[str, Any] | Annotated[list[dict[str, Any]], Meta(max_length=_MOST_EVENTS)]
    workspace_id: WorkspaceId = "default"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """`datasets` counts those that the catalog has, `externals` those that it has only heard of."""

    events: int
    edges: int
    datasets: int
    externals: int
    problems: list[LineageProblem]


class EmitEvents(msgspec.Struct, frozen=True, kw_only=True):
    """One event a dataset: of a job where the dataset is made of others, else of the dataset.

    Asked for as NDJSON, all of them line by line.
    """

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    cursor: Cursor | None = None
    limit: Limit = 100


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A JobEvent or a DatasetEvent of OpenLineage 2; `schemaURL` says which."""

    event_time: Instant
    producer: str
    schema_url: str = msgspec.field(name="schemaURL")
    job: EventJob | None = None
    inputs: list[EventDataset] | UnsetType = UNSET
    outputs: list[EventDataset] | UnsetType = UNSET
    dataset: EventDataset | None = None


async def accept_events(context: Context, request: AcceptEvents) -> Accepted:
    await context.parts.access.require(context.principal, Permission.WRITE, request.workspace_id)
    bodies = request.body if isinstance(request.body, list) else [request.body]
    read = await asyncio.to_thread(_read, bodies)
    async with context.parts.database.write() as connection:
        taking = await _taking(connection, context, request.workspace_id)
        for event, lineage in read:
            await taking.take(event, lineage)
        details = {"events": len(read), "edges": taking.edges}
        await record(connection, context, "lineage.openlineage.accept", request.workspace_id, details)
    return Accepted(
        events=len(read),
        edges=taking.edges,
        datasets=len(taking.datasets),
        externals=len(taking.externals),
        problems=list(taking.problems)[:_MOST_PROBLEMS],
    )


def _read(bodies: list[dict[str, Any]]) -> list[tuple[AnyEvent, EventLineage]]:
    read = []
    for at, body in enumerate(bodies):
        where = f"Event {at} of the array: " if len(bodies) > 1 else ""
        try:
            event = read_event(body)
        except EventError as error:
            raise InvalidRequest(f"{where}{error}", code="bad_event", details={"event": at}) from None
        read.append((event, lineage_of_event(event)))
    return read


async def _taking(connection: AsyncConnection, context: Context, workspace_id: str) -> _Taking:
    names = await lineage_edges.dataset_names(connection, workspace_id)
    sources: dict[int, DataSource | None] = {}
    known = {}
    for dataset_id, source_id, schema, name in names:
        if source_id not in sources:
            sources[source_id] = await data_sources.get(connection, source_id)
        source = sources[source_id]
        if source is not None:
            known[canonical(open_lineage_id(source, schema or None, name))] = dataset_id
    return _Taking(connection, context, workspace_id, known)


class _Taking:
    """Stores the lineage of events, in one transaction."""

    def __init__(
        self, connection: AsyncConnection, context: Context, workspace_id: str, known: dict[DatasetId, int]
    ) -> None:
        self._connection = connection
        self._context = context
        self._workspace_id = workspace_id
        self._known = known
        self._nodes: dict[DatasetId, str] = {}
        self.edges = 0
        self.datasets: set[str] = set()
        self.externals: set[str] = set()
        self.problems: dict[LineageProblem, None] = {}

    async def take(self, event: AnyEvent, lineage: EventLineage) -> None:
        for each in lineage.problems:
            self.problems[LineageProblem(code=each.code, message=each.message, name=each.name)] = None
        for dataset in (*lineage.inputs, *lineage.outputs):
            await self._node(dataset)
        columns: list[Edge | Influence] = [*lineage.edges, *lineage.influences]
        edges = [await self._column_edge(edge) for edge in columns]
        between = {(edge.source_node, edge.target_node) for edge in edges}
        for source, target in lineage.flows:
            nodes = await self._node(source), await self._node(target)
            if nodes not in between:
                edges.append(lineage_edges.Edge(nodes[0], "", nodes[1], "", Kind.TRANSFORMATION.value))
        if not lineage.outputs:
            return  # it began, or failed, or only reads: what is known of the job stays
        name = _origin_of(event)
        self.edges += await lineage_edges.replace(self._connection, self._workspace_id, ORIGIN, name, edges)

    async def _column_edge(self, edge: Edge | Influence) -> lineage_edges.Edge:
        source = await self._node(DatasetId(*edge.source.table))
        if isinstance(edge, Influence):
            target = await self._node(DatasetId(*edge.target))
            return lineage_edges.Edge(source, edge.source.column, target, "", edge.kind.value)
        target = await self._node(DatasetId(*edge.target.table))
        return lineage_edges.Edge(source, edge.source.column, target, edge.target.column, edge.kind.value, edge.masking)

    async def _node(self, dataset: DatasetId) -> str:
        if dataset not in self._nodes:
            self._nodes[dataset] = await self._made(dataset)
        return self._nodes[dataset]

    async def _made(self, dataset: DatasetId) -> str:
        known = self._known.get(dataset)
        if known is not None:
            node = lineage_edges.dataset_node(known)
            self.datasets.add(node)
            return node
        if len(dataset.name.encode()) + len(dataset.namespace.encode()) > _LONGEST_NAME or "\0" in "".join(dataset):
            raise InvalidRequest(
                f"A dataset is called {dataset.name[:80]!r}…; names have at most {_LONGEST_NAME} bytes with their "
                "namespace, and no NUL character."
            )
        external = await lineage_edges.ensure_external(
            self._connection, self._workspace_id, dataset.namespace, dataset.name, at=self._context.now()
        )
        node = lineage_edges.external_node(external.id)
        self.externals.add(node)
        return node


def _origin_of(event: AnyEvent) -> str:
    """Whose word it is: that of a job, or of whoever tells of a dataset."""
    if isinstance(event, DatasetEvent):
        return f"dataset {event.dataset.namespace} {event.dataset.name}"
    return f"job {event.job.namespace} {event.job.name}"


# Telling


async def emit_events(context: Context, request: EmitEvents) -> Page[ToldEvent]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor("openlineage", request.cursor, tuple[str, int])
    wanted = Wanted(source_id=request.source_id)
    async with context.parts.database.read() as connection:
        hits = await catalog_search.find(
            connection, request.workspace_id, wanted, sort="name", after=after, limit=request.limit + 1
        )
        rows = [hit.dataset for hit in hits]
        gathered = await gather(connection, rows, await sources_of(connection, request.workspace_id))
    origin = Origin(PRODUCER, context.now())
    events = await asyncio.to_thread(_events, gathered, origin)
    return page_of(
        hits,
        request.limit,
        "openlineage",
        key=lambda hit: (hit.key, hit.dataset.id),
        item=lambda hit: events[hit.dataset.id],
    )


async def sources_of(connection: AsyncConnection, workspace_id: str) -> dict[int, DataSource]:
    """All sources of the workspace, by id."""
    found: dict[int, DataSource] = {}
    after = None
    while rows := await data_sources.list_of(connection, workspace_id, after=after, limit=500):
        found.update({row.id: row for row in rows})
        after = rows[-1].id
    return found


def _events(gathered: Gathered, origin: Origin) -> dict[int, ToldEvent]:
    return {facts.row.id: _told(_event(facts, gathered, origin)) for facts in gathered.facts}


def _told(event: JobEvent | DatasetEvent) -> ToldEvent:
    if isinstance(event, DatasetEvent):
        return ToldEvent(
            event_time=event.event_time, producer=event.producer, schema_url=event.schema_url, dataset=event.dataset
        )
    return ToldEvent(
        event_time=event.event_time,
        producer=event.producer,
        schema_url=event.schema_url,
        job=event.job,
        inputs=event.inputs,
        outputs=event.outputs,
    )


def _event(facts: Facts, gathered: Gathered, origin: Origin) -> JobEvent | DatasetEvent:
    told = [each.edge for each in facts.edges if each.edge.kind != Kind.REFERENCE]
    known = _dataset_facts(facts, gathered, told)
    if not told:
        return dataset_event(known, origin)
    inputs = [DatasetFacts(gathered.id_of(node)) for node in dict.fromkeys(edge.source_node for edge in told)]
    definition = facts.row.definition
    sql = Sql(query=definition, dialect=dialect_of(facts.source)) if definition else None
    return job_event(facts.id, inputs, [known], origin, sql=sql)


def _dataset_facts(facts: Facts, gathered: Gathered, told: list[lineage_edges.Edge]) -> DatasetFacts:
    here = (lineage_edges.dataset_node(facts.row.id),)
    edges, influences = [], []
    for edge in told:
        source = ColumnRef((edge.source_node,), edge.source_column)
        if edge.source_column and edge.target_column:
            edges.append(Edge(source, ColumnRef(here, edge.target_column), Kind(edge.kind), edge.masking))
        elif edge.source_column:
            influences.append(Influence(source, here, Kind(edge.kind)))
    lineage = column_lineage(edges, influences, lambda table: gathered.id_of(table[0]))
    tags = [("", tag) for tag in facts.said.tags]
    tags += [(column, tag) for column, said in facts.labels.items() if column for tag in said.tags]
    return DatasetFacts(
        facts.id,
        fields=[
            SchemaField(name=column.name, type=column.native_type, description=column.comment)
            for column in facts.columns
        ],
        description=facts.description or facts.row.comment,
        owners=[Owner(name=f"user:{name}") for name in facts.said.owners],
        tags=[Tag(key=tag, value="true", source="USER", field=column or None) for column, tag in tags],
        lineage=lineage if lineage.fields or lineage.dataset else None,
    )


_HERE = "/lineage/openlineage"

OPERATIONS = (
    Operation(
        "lineage.openlineage.accept",
        AcceptEvents,
        Accepted,
        accept_events,
        f"POST {_HERE}",
        Permission.SIGNED_IN,
        "Take in OpenLineage events.",
        status=201,
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "lineage.openlineage.emit",
        EmitEvents,
        Page[ToldEvent],
        emit_events,
        f"GET {_HERE}",
        Permission.SIGNED_IN,
        "Tell what the catalog knows as OpenLineage events.",
        errors=(Forbidden, NotFound),
    ),
)
