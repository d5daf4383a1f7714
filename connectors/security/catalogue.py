"""The checks there are for each kind of source, and the session they run on; drivers load only when asked for."""

from __future__ import annotations

import importlib
from contextlib import AbstractAsyncContextManager
from typing import Protocol, cast

from connectors.datasets import Kind
from connectors.security.check import Check, Session
from connectors.settings import SourceSettings

# Another one whenever a check is new, gone, or judges differently: scans are compared within a version.
CATALOGUE_VERSION = "2"

_MODULES = {
    Kind.POSTGRESQL: "connectors.security.postgresql.source",
    Kind.MYSQL: "connectors.security.mysql.source",
    Kind.SQLITE: "connectors.security.files.sqlite_source",
    Kind.DUCKDB: "connectors.security.files.duckdb_source",
    Kind.FILES: "connectors.security.files.folder_source",
}


class _Module(Protocol):
    CATALOGUE: tuple[Check, ...]

    @staticmethod
    def open_session(settings: SourceSettings) -> AbstractAsyncContextManager[Session]: ...

    @staticmethod
    def grant_script(login: str, database: str | None = None) -> str: ...


def kinds() -> tuple[Kind, ...]:
    """The kinds of sources that can be audited."""
    return tuple(_MODULES)


def catalogue(kind: Kind | str) -> tuple[Check, ...]:
    """Every check for sources of a kind. Raises KeyError for one that cannot be audited."""
    return _module(kind).CATALOGUE


def open_audit(kind: Kind | str, settings: SourceSettings) -> AbstractAsyncContextManager[Session]:
    """A read-only session to run checks on, with the time limit of the settings for each statement.

    Entering it raises ConnectorError with what kept it from being opened.
    """
    return _module(kind).open_session(settings)


def grant_script(kind: Kind | str, login: str, database: str | None = None) -> str:
    """SQL for an administrator to read and run: lets `login` see what checks need, and change nothing."""
    return _module(kind).grant_script(login, database)


def _module(kind: Kind | str) -> _Module:
    return cast("_Module", importlib.import_module(_MODULES[Kind(kind)]))
