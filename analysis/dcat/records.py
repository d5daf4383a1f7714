"""What a catalog has to say of itself, as plain structs: the terms of DCAT 3 without its spelling."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, or a group. `iri` names them everywhere; without one they are named here only."""

    name: str
    iri: str | None = None
    email: str | None = None
    homepage: str | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table; `datatype` is a name of XML Schema, as CSVW has it: `integer`, `dateTime`."""

    name: str
    datatype: str | None = None
    description: str | None = None
    required: bool = False


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """`resource` is the IRI of the dataset that is referred to."""

    columns: tuple[str, ...]
    resource: str
    referred_columns: tuple[str, ...]


class TableSchema(msgspec.Struct, frozen=True, kw_only=True):
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of quality. `metric` is its IRI; `column` says of which column it is, if not of all."""

    metric: str
    value: float | int | bool | str
    measured_at: datetime | None = None
    column: str | None = None


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """A form in which a dataset can be had."""

    iri: str
    title: str | None = None
    access_url: str | None = None
    download_url: str | None = None
    access_service: str | None = None
    media_type: str | None = None
    byte_size: int | None = None
    sha256: str | None = None
    issued: datetime | None = None
    modified: datetime | None = None
    table: TableSchema | None = None


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """`themes` are IRIs or plain words, `derived_from` IRIs of the datasets it is made of."""

    iri: str
    title: str
    identifier: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    publisher: Agent | None = None
    creators: tuple[Agent, ...] = ()
    contact: Agent | None = None
    issued: datetime | None = None
    modified: datetime | None = None
    version: str | None = None
    licence: str | None = None
    access_rights: str | None = None
    language: str | None = None
    accrual_periodicity: str | None = None
    landing_page: str | None = None
    in_series: str | None = None
    derived_from: tuple[str, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    measurements: tuple[Measurement, ...] = ()


class DatasetSeries(msgspec.Struct, frozen=True, kw_only=True):
    iri: str
    title: str
    description: str | None = None


class DataService(msgspec.Struct, frozen=True, kw_only=True):
    """Where data can be asked for, such as a database or an HTTP API."""

    iri: str
    title: str
    endpoint_url: str
    endpoint_description: str | None = None
    description: str | None = None
    serves: tuple[str, ...] = ()


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    iri: str
    title: str
    description: str | None = None
    publisher: Agent | None = None
    homepage: str | None = None
    licence: str | None = None
    language: str | None = None
    issued: datetime | None = None
    modified: datetime | None = None
    datasets: tuple[Dataset, ...] = ()
    series: tuple[DatasetSeries, ...] = ()
    services: tuple[DataService, ...] = ()
