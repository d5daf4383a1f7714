"""Opens a source of any kind; drivers are imported only when one of their kind is."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from connectors.datasets import Kind
from connectors.settings import SourceSettings

if TYPE_CHECKING:
    from connectors.connector import Connector

_MODULES = {
    Kind.POSTGRESQL: "connectors.postgresql",
    Kind.MYSQL: "connectors.mysql",
    Kind.SQLITE: "connectors.sqlite",
    Kind.DUCKDB: "connectors.duckdb_file",
    Kind.FILES: "connectors.files",
    Kind.METRICS: "connectors.pushed_metrics",
}


class _Module(Protocol):
    @staticmethod
    async def connect(settings: SourceSettings) -> Connector: ...


async def open_connector(kind: Kind | str, settings: SourceSettings) -> Connector:
    """A connector that has reached its source: `async with await open_connector(...)`. Raises ConnectorError."""
    module = cast("_Module", importlib.import_module(_MODULES[Kind(kind)]))
    return await module.connect(settings)
