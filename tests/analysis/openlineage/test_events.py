"""Events of others are read with all that is not known of them; ours are what the specification asks for."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from analysis.lineage.edges import Edge, Influence, Kind
from analysis.lineage.names import Catalog, ColumnRef, TableName
from analysis.lineage.statements import lineage_of
from analysis.openlineage.events import (
    DatasetEvent,
    EventError,
    EventType,
    JobEvent,
    RunEvent,
    encode,
    facet,
    read_event,
    read_events,
)
from analysis.openlineage.facets import (
    Assertion,
    ColumnMetrics,
    DataQualityAssertions,
    DataQualityMetrics,
    Owner,
    Schema,
    SchemaField,
    Sql,
    Tag,
    custom,
)
from analysis.openlineage.naming import (
    DatasetId,
    canonical,
    duckdb_table,
    local_file,
    mysql_table,
    postgres_table,
    sqlite_table,
)
from analysis.openlineage.reading import lineage_of_event
from analysis.openlineage.writing import DatasetFacts, Origin, column_lineage, dataset_event, job_event, scan_event

WAREHOUSE = "postgres://db.example:5432"
RUN = "3b452093-782c-4ef2-9c0c-aafe2aa6f34d"
AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
ORIGIN = Origin("https://studio.example/1", AT)

COMPLETE: dict[str, Any] = {
    "eventType": "COMPLETE",
    "eventTime": "2026-03-01T09:00:00.081Z",
    "run": {"runId": RUN, "facets": {"nominalTime": {"_producer": "x", "_schemaURL": "y", "nominalStartTime": "z"}}},
    "job": {"namespace": "airflow", "name": "dag.task"},
    "inputs": [{"namespace": "postgresql://DB.example", "name": "shop.public.orders", "facets": {"unheardOf": [1]}}],
    "outputs": [
        {
            "namespace": WAREHOUSE,
            "name": "shop.public.daily",
            "facets": {
                "schema": {"fields": [{"name": "revenue", "type": "INT", "fields": []}]},
                "columnLineage": {
                    "_producer": "x",
                    "_schemaURL": "y",
                    "fields": {
                        "revenue": {
                            "inputFields": [
                                {
                                    "namespace": WAREHOUSE,
                                    "name": "shop.public.orders",
                                    "field": "total",
                                    "transformations": [
                                        {"type": "DIRECT", "subtype": "AGGREGATION", "masking": False, "new": 1},
                                        {"type": "INDIRECT", "subtype": "CONDITIONAL"},
                                    ],
                                }
                            ]
                        }
                    },
                    "dataset": [
                        {
                            "namespace": WAREHOUSE,
                            "name": "shop.public.orders",
                            "field": "status",
                            "transformations": [{"type": "INDIRECT", "subtype": "FILTER"}],
                        }
                    ],
                },
            },
        }
    ],
    "producer": "https://github.com/apache/airflow",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "aFieldOfTomorrow": {"x": 1},
}
ORDERS, DAILY = DatasetId(WAREHOUSE, "shop.public.orders"), DatasetId(WAREHOUSE, "shop.public.daily")


def changed(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(COMPLETE)), **changes}


def test_a_run_event_with_all_that_we_do_not_know() -> None:
    event = read_event(json.dumps(COMPLETE).encode())
    assert isinstance(event, RunEvent)
    assert (event.event_type, event.run.run_id, event.job.name) == (EventType.COMPLETE, UUID(RUN), "dag.task")
    assert event.inputs[0].facets == {"unheardOf": [1]}
    schema = facet(event.outputs[0].facets, "schema", Schema)
    assert schema is not None
    assert [(field.name, field.type) for field in schema.fields] == [("revenue", "INT")]


def test_its_lineage() -> None:
    lineage = lineage_of_event(read_event(COMPLETE))
    target = ColumnRef(DAILY, "revenue")
    assert lineage.edges == (
        Edge(ColumnRef(ORDERS, "total"), target, Kind.AGGREGATION),
        Edge(ColumnRef(ORDERS, "total"), target, Kind.CONDITIONAL),
    )
    assert lineage.influences == (Influence(ColumnRef(ORDERS, "status"), DAILY, Kind.FILTER),)
    assert (lineage.inputs, lineage.outputs, lineage.flows) == ((ORDERS,), (DAILY,), ((ORDERS, DAILY),))
    assert lineage.problems == ()


def test_the_older_words() -> None:
    outputs = json.loads(json.dumps(COMPLETE))["outputs"]
    field = outputs[0]["facets"]["columnLineage"]["fields"]["revenue"]
    del field["inputFields"][0]["transformations"]
    for word, expected in (("IDENTITY", (Kind.IDENTITY, False)), ("MASKED", (Kind.TRANSFORMATION, True))):
        field["transformationType"] = word
        [edge] = lineage_of_event(read_event(changed(outputs=outputs))).edges
        assert (edge.kind, edge.masking) == expected
    del field["transformationType"]
    lineage = lineage_of_event(read_event(changed(outputs=outputs)))
    assert [problem.code for problem in lineage.problems] == ["unknown_kind"]


def test_a_facet_that_makes_no_sense_is_a_problem_and_the_rest_holds() -> None:
    outputs = [{"namespace": "n", "name": "t", "facets": {"columnLineage": {"fields": {"a": {"inputFields": "x"}}}}}]
    lineage = lineage_of_event(read_event(changed(outputs=outputs)))
    [problem] = lineage.problems
    assert (problem.code, problem.name) == ("bad_facet", "t")
    assert lineage.flows == ((ORDERS, DatasetId("n", "t")),)


@pytest.mark.parametrize("state", ["FAIL", "ABORT"])
def test_what_failed_has_no_lineage(state: str) -> None:
    assert lineage_of_event(read_event(changed(eventType=state))).edges == ()


def test_other_events() -> None:
    dataset = read_event({"eventTime": "2026-03-01T09:00:00Z", "producer": "p", "dataset": COMPLETE["outputs"][0]})
    assert isinstance(dataset, DatasetEvent)
    assert len(lineage_of_event(dataset).edges) == 2
    job = read_event({key: COMPLETE[key] for key in ("eventTime", "producer", "job", "inputs", "outputs")})
    assert isinstance(job, JobEvent)
    assert lineage_of_event(job).flows == ((ORDERS, DAILY),)
    assert len(read_events(json.dumps([COMPLETE, COMPLETE]).encode())) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        ({}, "neither `run`, `job` nor `dataset`"),
        (changed(eventTime="yesterday"), "eventTime"),
        (changed(eventTime="2026-03-01T09:00:00"), "eventTime"),
        (changed(run={"runId": "7"}), "runId"),
        (changed(eventType="DONE"), "eventType"),
        (changed(inputs=[{"name": "x"}]), "namespace"),
        (changed(producer=""), "producer"),
    ],
)
def test_what_is_no_event(content: bytes | dict[str, Any], message: str) -> None:
    with pytest.raises(EventError, match=message):
        read_event(content)


def test_which_of_many_is_wrong() -> None:
    with pytest.raises(EventError, match="Event 1 of the array: It has neither"):
        read_events(json.dumps([COMPLETE, {}]).encode())
    for content in (b"7", b"[7]", b"[" * 100_000):
        with pytest.raises(EventError):
            read_events(content)


def test_names() -> None:
    assert postgres_table("DB.example", None, "shop", "public", "orders") == ORDERS
    assert mysql_table("::1", 3307, "shop", "orders") == ("mysql://[::1]:3307", "shop.orders")
    assert sqlite_table("/srv/shop.db", "orders") == ("sqlite:///srv/shop.db", "orders")
    assert duckdb_table("/srv/shop.duckdb", "main", "orders") == ("duckdb:///srv/shop.duckdb", "main.orders")
    assert local_file("/srv/x.parquet") == ("file", "/srv/x.parquet")


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        ("postgresql://DB.example", WAREHOUSE),
        ("postgres://db.example:5432/", WAREHOUSE),
        ("file://", "file"),
        ("s3://bucket", "s3://bucket"),
        ("airflow", "airflow"),
        ("postgres://db:port", "postgres://db:port"),
    ],
)
def test_what_is_called_differently_is_the_same(namespace: str, expected: str) -> None:
    assert canonical(DatasetId(namespace, "x")) == (expected, "x")


def id_of(table: TableName) -> DatasetId:
    return DatasetId(WAREHOUSE, ".".join(("shop", *table)))


def test_what_we_write_we_read() -> None:
    """The lineage of a view goes out as an event and comes back as it was."""
    sql = "CREATE VIEW daily AS SELECT sum(total) AS revenue, md5(status) AS h FROM orders WHERE status > '' GROUP BY 2"
    path = [("public",)]
    [lineage] = lineage_of(sql, Catalog({("public", "orders"): ["total", "status"]}, search_path=path))
    facts = DatasetFacts(DAILY, lineage=column_lineage(lineage.edges, lineage.influences, id_of))
    event = job_event(DatasetId("studio", "view"), [DatasetFacts(ORDERS)], [facts], ORIGIN, sql=Sql(query=sql))
    read = lineage_of_event(read_event(encode(event)))
    assert {(edge.source.column, edge.target.column, edge.kind, edge.masking) for edge in read.edges} == {
        ("total", "revenue", Kind.AGGREGATION, False),
        ("status", "h", Kind.TRANSFORMATION, True),
    }
    assert {(each.source.column, each.kind) for each in read.influences} == {
        ("status", Kind.FILTER),
        ("status", Kind.GROUP_BY),
    }
    assert read.problems == ()
    assert json.loads(encode(event))["job"]["facets"]["sql"]["query"] == sql


def test_foreign_keys_are_not_told_as_lineage() -> None:
    edge = Edge(ColumnRef(("a",), "x"), ColumnRef(("b",), "y"), Kind.REFERENCE)
    assert column_lineage([edge], [], id_of).fields == {}


def test_a_profile_as_an_event() -> None:
    metrics = DataQualityMetrics(
        row_count=3,
        column_metrics={"total": ColumnMetrics(null_count=0, sum=math.nan, min=1.0, quantiles={"0.5": 2.0})},
    )
    facts = DatasetFacts(
        ORDERS,
        fields=[SchemaField(name="total", type="INT")],
        description="What was bought",
        owners=[Owner(name="user:ada", type="OWNER")],
        tags=[Tag(key="pii", value="true", field="total")],
        metrics=metrics,
        assertions=DataQualityAssertions(assertions=[Assertion(assertion="not_null", success=False, column="total")]),
        extra={"studio_insights": custom({"count": 1}, ORIGIN.producer, "https://studio.example/facets/1")},
    )
    event = json.loads(encode(dataset_event(facts, ORIGIN)))
    assert event["eventTime"] == "2026-03-01T09:00:00Z"
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent"
    facets = event["dataset"]["facets"]
    assert all(facet["_producer"] == ORIGIN.producer and facet["_schemaURL"] for facet in facets.values())
    assert facets["dataQualityMetrics"]["columnMetrics"] == {
        "total": {"nullCount": 0, "min": 1.0, "quantiles": {"0.5": 2.0}}
    }
    assert facets["documentation"]["description"] == "What was bought"
    assert facets["ownership"]["owners"] == [{"name": "user:ada", "type": "OWNER"}]
    assert facets["tags"]["tags"] == [{"key": "pii", "value": "true", "field": "total"}]
    assert facets["dataQualityAssertions"]["assertions"] == [
        {"assertion": "not_null", "success": False, "column": "total"}
    ]
    assert facets["studio_insights"]["count"] == 1


def test_a_scan_as_a_run_with_figures_where_consumers_of_runs_look() -> None:
    facts = DatasetFacts(ORDERS, metrics=DataQualityMetrics(row_count=3))
    job = DatasetId("studio", "scan")
    failed = scan_event(UUID(RUN), job, EventType.FAIL, [facts], ORIGIN, error="The table is gone.")
    event = json.loads(encode(failed))
    assert (event["eventType"], event["run"]["runId"]) == ("FAIL", RUN)
    assert event["run"]["facets"]["errorMessage"]["message"] == "The table is gone."
    own = event["inputs"][0]["inputFacets"]["dataQualityMetrics"]
    assert (own["rowCount"], own["columnMetrics"]) == (3, {})
    assert isinstance(read_event(encode(failed)), RunEvent)
