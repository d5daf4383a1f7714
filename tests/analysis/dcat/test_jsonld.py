"""The catalog as JSON-LD: terms that exist, links that lead somewhere, nothing empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from analysis.dcat.jsonld import CONTEXT, column_iri, datatype_of, to_jsonld
from analysis.dcat.records import (
    Agent,
    Catalog,
    Column,
    DataService,
    Dataset,
    DatasetSeries,
    Distribution,
    ForeignKey,
    Measurement,
    TableSchema,
)

HERE = "https://studio.example"
AT = datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1)))
ORDERS = Dataset(
    iri=f"{HERE}/datasets/1",
    title="Orders",
    identifier="1",
    description="What was bought",
    keywords=("sales", "shop"),
    themes=("http://publications.europa.eu/resource/authority/data-theme/ECON", "Finance"),
    publisher=Agent(name="Shop", iri=f"{HERE}/shop", email="shop@x.example"),
    contact=Agent(name="Ada", email="ada@x.example"),
    issued=AT,
    modified=AT,
    licence="https://creativecommons.org/licenses/by/4.0/",
    derived_from=(f"{HERE}/datasets/2",),
    in_series=f"{HERE}/series/1",
    distributions=(
        Distribution(
            iri=f"{HERE}/datasets/1/csv",
            download_url=f"{HERE}/datasets/1.csv",
            media_type="text/csv",
            byte_size=12,
            sha256="ab" * 32,
            table=TableSchema(
                columns=(Column(name="id", datatype="long", required=True), Column(name="a b", description="x")),
                primary_key=("id",),
                foreign_keys=(ForeignKey(columns=("a b",), resource=f"{HERE}/datasets/2", referred_columns=("id",)),),
            ),
        ),
    ),
    measurements=(
        Measurement(metric=f"{HERE}/metrics/completeness", value=0.98, measured_at=AT),
        Measurement(metric=f"{HERE}/metrics/mean", value=float("nan"), column="a b"),
    ),
)
CATALOG = Catalog(
    iri=f"{HERE}/catalog",
    title="All",
    publisher=Agent(name="Shop"),
    datasets=(ORDERS,),
    series=(DatasetSeries(iri=f"{HERE}/series/1", title="Orders by year"),),
    services=(DataService(iri=f"{HERE}/api", title="API", endpoint_url=f"{HERE}/v1", serves=(ORDERS.iri,)),),
)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def test_a_catalog() -> None:
    document = to_jsonld(CATALOG)
    assert (document["@type"], document["@id"]) == ("dcat:Catalog", f"{HERE}/catalog")
    series, dataset = document["dcat:dataset"]
    assert (series["@type"], dataset["@type"]) == ("dcat:DatasetSeries", "dcat:Dataset")
    assert dataset["dcterms:issued"] == {"@type": "xsd:dateTime", "@value": "2026-03-01T09:00:00Z"}
    assert dataset["dcat:keyword"] == ["sales", "shop"]
    assert dataset["dcat:theme"][1] == {"@type": "skos:Concept", "skos:prefLabel": "Finance"}
    assert dataset["dcat:contactPoint"]["vcard:hasEmail"] == {"@id": "mailto:ada@x.example"}
    assert dataset["prov:wasDerivedFrom"] == [{"@id": f"{HERE}/datasets/2"}]
    [service] = document["dcat:service"]
    assert service["dcat:servesDataset"] == [{"@id": ORDERS.iri}]


def test_a_distribution_has_its_schema() -> None:
    [distribution] = to_jsonld(CATALOG)["dcat:dataset"][1]["dcat:distribution"]
    assert distribution["dcat:byteSize"] == {"@type": "xsd:nonNegativeInteger", "@value": "12"}
    assert distribution["dcat:mediaType"]["@id"].endswith("/text/csv")
    schema = distribution["csvw:tableSchema"]
    first, second = schema["csvw:column"]["@list"]
    assert (first["csvw:name"], first["csvw:datatype"], first["csvw:required"]) == ("id", "long", True)
    assert second["@id"].endswith("#column=a%20b")
    assert schema["csvw:primaryKey"] == ["id"]
    assert schema["csvw:foreignKey"][0]["csvw:reference"]["csvw:resource"] == {"@id": f"{HERE}/datasets/2"}


def test_quality() -> None:
    whole, column = to_jsonld(CATALOG)["dcat:dataset"][1]["dqv:hasQualityMeasurement"]
    assert (whole["dqv:value"], whole["dqv:computedOn"]) == (0.98, {"@id": ORDERS.iri})
    assert column["dqv:value"] == {"@type": "xsd:double", "@value": "NaN"}
    assert column["dqv:computedOn"] == {"@id": column_iri(ORDERS.iri, "a b")}


def test_it_is_json_and_every_prefix_is_declared() -> None:
    document = to_jsonld(CATALOG)
    json.dumps(document, allow_nan=False)
    del document["@context"]
    for node in nodes(document):
        types = node.get("@type", [])
        for term in (*node, *([types] if isinstance(types, str) else types)):
            assert term.startswith("@") or term.partition(":")[0] in CONTEXT, term


def test_nothing_empty_is_written() -> None:
    bare = to_jsonld(Catalog(iri="x", title="Bare", datasets=(Dataset(iri="y", title="Y"),)))
    del bare["@context"]
    assert bare == {
        "@id": "x",
        "@type": "dcat:Catalog",
        "dcterms:title": "Bare",
        "dcat:dataset": [{"@id": "y", "@type": "dcat:Dataset", "dcterms:title": "Y"}],
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("BIGINT", "long"),
        ("numeric(10, 2)", "decimal"),
        ("timestamp with time zone", "dateTimeStamp"),
        ("inet", "string"),
    ],
)
def test_datatypes(sql: str, expected: str) -> None:
    assert datatype_of(sql) == expected


def test_times_are_of_utc() -> None:
    issued = to_jsonld(Catalog(iri="x", title="X", issued=datetime(2026, 1, 1, tzinfo=UTC)))["dcterms:issued"]
    assert issued["@value"] == "2026-01-01T00:00:00Z"
