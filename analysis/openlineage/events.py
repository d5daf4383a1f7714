"""Events of OpenLineage 2 as structs. What is not known of them is ignored; facets are read where they are needed."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from analysis.openlineage.naming import DatasetId

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
# Names of people's tables and jobs are shorter; what is longer fills indexes.
Name = Annotated[str, Meta(min_length=1, max_length=2_000)]
Instant = Annotated[datetime, Meta(tz=True)]
Facets = dict[str, Any]
F = TypeVar("F")


class EventError(ValueError):
    """It is no event; the message says what is wrong with it."""


class EventType(enum.StrEnum):
    """The state that a run is in. Lineage is of those that were completed."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


class Run(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One execution of a job."""

    run_id: UUID
    facets: Facets = {}


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is executed again and again."""

    namespace: Name
    name: Name
    facets: Facets = {}


class Dataset(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A dataset as an event knows it. The last two belong to a run that reads or writes it."""

    namespace: Name
    name: Name
    facets: Facets = {}
    input_facets: Facets = {}
    output_facets: Facets = {}

    @property
    def id(self) -> DatasetId:
        return DatasetId(self.namespace, self.name)


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all events have."""

    event_time: Instant
    producer: Annotated[str, Meta(min_length=1, max_length=2_000)]
    schema_url: str = msgspec.field(name="schemaURL", default="")


class RunEvent(Event, frozen=True, kw_only=True, rename="camel"):
    """A run began, went on or ended."""

    run: Run
    job: Job
    event_type: EventType = EventType.OTHER
    inputs: list[Dataset] = []
    outputs: list[Dataset] = []


class JobEvent(Event, frozen=True, kw_only=True, rename="camel"):
    """What is known of a job, whether or not it ever ran."""

    job: Job
    inputs: list[Dataset] = []
    outputs: list[Dataset] = []


class DatasetEvent(Event, frozen=True, kw_only=True, rename="camel"):
    """What is known of a dataset, whoever made it."""

    dataset: Dataset


AnyEvent = RunEvent | JobEvent | DatasetEvent


def read_event(content: bytes | dict[str, Any]) -> AnyEvent:
    """The event that JSON says. Raises EventError."""
    plain = _object(content) if isinstance(content, bytes) else content
    kind = _kind_of(plain)
    # An event without inputs may say so with null.
    plain = {key: value for key, value in plain.items() if value is not None}
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise EventError(f"It is no {kind.__name__}: {error}.") from None


def read_events(content: bytes) -> list[AnyEvent]:
    """One event, or an array of them. Raises EventError, which says which of them is wrong."""
    try:
        plain = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EventError(f"It is not JSON: {error}.") from None
    if isinstance(plain, dict):
        return [read_event(plain)]
    if not isinstance(plain, list):
        raise EventError("It is neither an object nor an array of objects.")
    events = []
    for at, each in enumerate(plain):
        if not isinstance(each, dict):
            raise EventError(f"Event {at} of the array is not an object.")
        try:
            events.append(read_event(each))
        except EventError as error:
            raise EventError(f"Event {at} of the array: {error}") from None
    return events


def _object(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise EventError(f"It is not a JSON object: {error}.") from None


def _kind_of(plain: dict[str, Any]) -> type[AnyEvent]:
    """By what it has; most producers give a schemaURL, too, but not all."""
    if plain.get("run") is not None:
        return RunEvent
    if plain.get("dataset") is not None:
        return DatasetEvent
    if plain.get("job") is not None:
        return JobEvent
    raise EventError("It has neither `run`, `job` nor `dataset`, one of which every event has.")


def facet(facets: Facets, name: str, kind: type[F]) -> F | None:
    """The facet of this name, None where there is none. Raises EventError where it is not what it should be."""
    content = facets.get(name)
    if content is None or (isinstance(content, dict) and content.get("_deleted") is True):
        return None
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise EventError(f"The facet {name}: {error}.") from None


def encode(event: AnyEvent) -> bytes:
    """The event as JSON."""
    return msgspec.json.encode(event)
