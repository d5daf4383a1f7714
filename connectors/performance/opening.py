"""Opens a reader of what a source knows of itself; drivers are imported only when one of their kind is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from connectors.datasets import Kind
from connectors.settings import SourceSettings

if TYPE_CHECKING:
    from connectors.performance.figures import PerformanceReader

_MODULES = {
    Kind.POSTGRESQL: "connectors.performance.postgresql.reader",
    Kind.MYSQL: "connectors.performance.mysql",
    Kind.SQLITE: "connectors.performance.sqlite",
    Kind.DUCKDB: "connectors.performance.files",
    Kind.FILES: "connectors.performance.files",
}


class _Module(Protocol):
    @staticmethod
    def reader(settings: SourceSettings) -> PerformanceReader: ...


def open_reader(kind: Kind | str, settings: SourceSettings) -> PerformanceReader:
    """A reader that connects with its first question."""
    module = cast("_Module", importlib.import_module(_MODULES[Kind(kind)]))
    return module.reader(settings)
