"""A catalog as JSON-LD of DCAT 3 (W3C Recommendation, 2024), with schemas in CSVW and quality in DQV.

Every term is written with its prefix and every link as `{"@id": …}`, so that the context only has to name the prefixes,
and a reader that knows no JSON-LD finds its way, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from analysis.dcat.records import (
    Agent,
    Catalog,
    Column,
    DataService,
    Dataset,
    DatasetSeries,
    Distribution,
    Measurement,
    TableSchema,
)

CONTEXT: Mapping[str, str] = {
    "csvw": "http://www.w3.org/ns/csvw#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "dqv": "http://www.w3.org/ns/dqv#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "prov": "http://www.w3.org/ns/prov#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_IANA = "https://www.iana.org/assignments/media-types/"
# How SQL calls what XML Schema has names for.
_DATATYPES = {
    "smallint": "short",
    "integer": "int",
    "int": "int",
    "bigint": "long",
    "real": "float",
    "float": "double",
    "double": "double",
    "double precision": "double",
    "numeric": "decimal",
    "decimal": "decimal",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "dateTime",
    "timestamp with time zone": "dateTimeStamp",
    "timestamptz": "dateTimeStamp",
    "bytea": "hexBinary",
    "blob": "hexBinary",
    "json": "json",
    "jsonb": "json",
}


def datatype_of(sql_type: str) -> str:
    """The CSVW datatype of a column of this SQL type; `string` for those that have none."""
    name = sql_type.lower().partition("(")[0].strip()
    return _DATATYPES.get(name, "string")


def to_jsonld(catalog: Catalog) -> dict[str, Any]:
    """The document. Parts that are not known are left out, and it is always the same for the same catalog."""
    return {
        "@context": dict(CONTEXT),
        "@id": catalog.iri,
        "@type": "dcat:Catalog",
        **_described(catalog.title, catalog.description),
        **_present(
            {
                "dcterms:publisher": _agent(catalog.publisher),
                "foaf:homepage": _link(catalog.homepage),
                "dcterms:license": _link(catalog.licence),
                "dcterms:language": catalog.language,
                "dcterms:issued": _time(catalog.issued),
                "dcterms:modified": _time(catalog.modified),
                "dcat:dataset": [
                    *(_series(each) for each in catalog.series),
                    *(_dataset(each) for each in catalog.datasets),
                ],
                "dcat:service": [_service(each) for each in catalog.services],
            }
        ),
    }


def _dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "@id": dataset.iri,
        "@type": "dcat:Dataset",
        **_described(dataset.title, dataset.description),
        **_present(
            {
                "dcterms:identifier": dataset.identifier,
                "dcat:keyword": list(dataset.keywords),
                "dcat:theme": [_theme(each) for each in dataset.themes],
                "dcterms:publisher": _agent(dataset.publisher),
                "dcterms:creator": [_agent(each) for each in dataset.creators],
                "dcat:contactPoint": _contact(dataset.contact),
                "dcterms:issued": _time(dataset.issued),
                "dcterms:modified": _time(dataset.modified),
                "dcat:version": dataset.version,
                "dcterms:license": _link(dataset.licence),
                "dcterms:accessRights": _link(dataset.access_rights),
                "dcterms:language": dataset.language,
                "dcterms:accrualPeriodicity": _link(dataset.accrual_periodicity),
                "dcat:landingPage": _link(dataset.landing_page),
                "dcat:inSeries": _link(dataset.in_series),
                "prov:wasDerivedFrom": [_link(each) for each in dataset.derived_from],
                "dcat:distribution": [_distribution(each) for each in dataset.distributions],
                "dqv:hasQualityMeasurement": [_measurement(dataset.iri, each) for each in dataset.measurements],
            }
        ),
    }


def _series(series: DatasetSeries) -> dict[str, Any]:
    return {"@id": series.iri, "@type": "dcat:DatasetSeries", **_described(series.title, series.description)}


def _service(service: DataService) -> dict[str, Any]:
    return {
        "@id": service.iri,
        "@type": "dcat:DataService",
        **_described(service.title, service.description),
        **_present(
            {
                "dcat:endpointURL": _link(service.endpoint_url),
                "dcat:endpointDescription": _link(service.endpoint_description),
                "dcat:servesDataset": [_link(each) for each in service.serves],
            }
        ),
    }


def _distribution(distribution: Distribution) -> dict[str, Any]:
    checksum = None
    if distribution.sha256 is not None:
        checksum = {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": distribution.sha256},
        }
    media_type = distribution.media_type
    return {
        "@id": distribution.iri,
        "@type": "dcat:Distribution",
        **_present(
            {
                "dcterms:title": distribution.title,
                "dcat:accessURL": _link(distribution.access_url),
                "dcat:downloadURL": _link(distribution.download_url),
                "dcat:accessService": _link(distribution.access_service),
                "dcat:mediaType": _link(_IANA + media_type if media_type else None),
                "dcat:byteSize": _whole(distribution.byte_size),
                "spdx:checksum": checksum,
                "dcterms:issued": _time(distribution.issued),
                "dcterms:modified": _time(distribution.modified),
                "csvw:tableSchema": _table(distribution.iri, distribution.table),
            }
        ),
    }


def _table(iri: str, table: TableSchema | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "@id": f"{iri}#schema",
        "@type": "csvw:Schema",
        **_present(
            {
                "csvw:column": {"@list": [_column(iri, each) for each in table.columns]} if table.columns else None,
                "csvw:primaryKey": list(table.primary_key),
                "csvw:foreignKey": [
                    {
                        "@type": "csvw:ForeignKey",
                        "csvw:columnReference": list(key.columns),
                        "csvw:reference": {
                            "csvw:resource": {"@id": key.resource},
                            "csvw:columnReference": list(key.referred_columns),
                        },
                    }
                    for key in table.foreign_keys
                ],
            }
        ),
    }


def column_iri(iri: str, name: str) -> str:
    """What a column is called everywhere: the dataset or distribution, and the column behind it."""
    return f"{iri}#column={quote(name, safe='')}"


def _column(iri: str, column: Column) -> dict[str, Any]:
    return {
        "@id": column_iri(iri, column.name),
        "@type": "csvw:Column",
        "csvw:name": column.name,
        **_present({"csvw:datatype": column.datatype, "dcterms:description": column.description}),
        **({"csvw:required": True} if column.required else {}),
    }


def _measurement(iri: str, measurement: Measurement) -> dict[str, Any]:
    of = column_iri(iri, measurement.column) if measurement.column is not None else iri
    return {
        "@type": "dqv:QualityMeasurement",
        "dqv:computedOn": {"@id": of},
        "dqv:isMeasurementOf": {"@id": measurement.metric},
        "dqv:value": _value(measurement.value),
        **_present({"prov:generatedAtTime": _time(measurement.measured_at)}),
    }


def _value(value: float | int | bool | str) -> Any:
    """As it is, but for what JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"
        return {"@type": "xsd:double", "@value": shown}
    return value


def _agent(agent: Agent | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    return {
        **({"@id": agent.iri} if agent.iri else {}),
        "@type": "foaf:Agent",
        "foaf:name": agent.name,
        **_present({"foaf:mbox": _link(_mailto(agent.email)), "foaf:homepage": _link(agent.homepage)}),
    }


def _contact(agent: Agent | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    return {
        "@type": "vcard:Kind",
        "vcard:fn": agent.name,
        **_present({"vcard:hasEmail": _link(_mailto(agent.email)), "vcard:hasURL": _link(agent.homepage)}),
    }


def _theme(theme: str) -> dict[str, Any]:
    """An IRI is a concept of somebody's scheme; a word is one of ours."""
    if "://" in theme:
        return {"@id": theme}
    return {"@type": "skos:Concept", "skos:prefLabel": theme}


def _described(title: str, description: str | None) -> dict[str, Any]:
    return {"dcterms:title": title, **_present({"dcterms:description": description})}


def _link(iri: str | None) -> dict[str, str] | None:
    return {"@id": iri} if iri else None


def _mailto(email: str | None) -> str | None:
    return f"mailto:{quote(email, safe='@+.')}" if email else None


def _time(at: datetime | None) -> dict[str, str] | None:
    """The time must be aware."""
    if at is None:
        return None
    written = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {"@type": "xsd:dateTime", "@value": written}


def _whole(number: int | None) -> dict[str, str] | None:
    return None if number is None else {"@type": "xsd:nonNegativeInteger", "@value": str(number)}


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known or empty."""
    return {key: value for key, value in values.items() if value is not None and value not in ("", [])}
