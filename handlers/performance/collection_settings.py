"""How a source is collected from: how often, with or without statements, and from which exporter beside it."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.performance.pacing import Intervals
from storage.metric_collections import Collection
from storage.sealing import Sealer


class Preset(enum.StrEnum):
    """How often figures are read, and how many statements are kept of each minute."""

    MINIMAL = "minimal"
    STANDARD = "standard"
    DETAILED = "detailed"


INTERVALS = {
    Preset.MINIMAL: Intervals(30.0, 300.0, 3600.0),
    Preset.STANDARD: Intervals(10.0, 60.0, 300.0),
    Preset.DETAILED: Intervals(5.0, 30.0, 300.0),
}
TOP_STATEMENTS = {Preset.MINIMAL: 20, Preset.STANDARD: 50, Preset.DETAILED: 200}

Capacity = Annotated[int, Meta(ge=1, le=2**60, description="Bytes that there is room for, where the source grows.")]


class CollectionSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored as JSON. `capacity_bytes` is what growth is measured against."""

    preset: Preset = Preset.STANDARD
    statements: bool = True
    capacity_bytes: Capacity | None = None

    @property
    def intervals(self) -> Intervals:
        return INTERVALS[self.preset]


class ExporterCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept sealed. The address as well: some have a token in their path."""

    url: str
    token: str | None = None


def settings_of(collection: Collection) -> CollectionSettings:
    return msgspec.convert(collection.settings, CollectionSettings, strict=False)


def purpose_of(source_id: int) -> str:
    """What an exporter's credentials are sealed for: they open for no other source."""
    return f"metric_collection:{source_id}"


def opened(sealer: Sealer, collection: Collection) -> ExporterCredentials | None:
    """The exporter, None where there is none. Raises WrongKey."""
    if collection.credentials is None:
        return None
    content = sealer.open(collection.credentials, purpose_of(collection.source_id), collection.key_id)
    return msgspec.json.decode(content, type=ExporterCredentials)


def sealed(sealer: Sealer, source_id: int, exporter: ExporterCredentials | None) -> dict[str, Any]:
    """The columns that hold it."""
    if exporter is None:
        return {"credentials": None, "key_id": None}
    content = sealer.seal(msgspec.json.encode(exporter), purpose_of(source_id))
    return {"credentials": content, "key_id": sealer.key_id}
