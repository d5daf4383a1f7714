"""The settings of a data source as a client gives them: which belong to which kind, and who may name a path."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from connectors import paths
from connectors.datasets import Kind
from connectors.errors import ConnectorError
from handlers.registry import Context, Forbidden, InvalidRequest
from handlers.source_access import sentence

SERVERS = (Kind.POSTGRESQL, Kind.MYSQL)
_TEXT = r"^[^\x00-\x1f\x7f]+$(?!\n)"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?", re.ASCII)

Word = Annotated[str, Meta(min_length=1, max_length=255, pattern=_TEXT)]
PathText = Annotated[str, Meta(min_length=1, max_length=4096, pattern=_TEXT)]


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a source is, and how much may be asked of it.

    `host`, `port`, `database`, `user`, `tls`, `ca_certificate` (PEM) are for servers, `schemas` for those that have
    them; `path` is the file of `sqlite` and `duckdb` and the folder of `files`, of which `pattern` picks some by a glob
    such as `2024/*.csv`. `tls` is `prefer` unless given; `verify` also checks the server's certificate. A source of the
    kind `metrics`, which samples are pushed to, has none of these.
    """

    host: Word | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    database: Word | None = None
    user: Word | None = None
    tls: Literal["disable", "prefer", "require", "verify"] | None = None
    ca_certificate: Annotated[str, Meta(max_length=65536)] | None = None
    schemas: Annotated[list[Word], Meta(max_length=100)] | None = None
    path: PathText | None = None
    pattern: PathText | None = None
    statement_seconds: Annotated[float, Meta(ge=1, le=3600)] | None = None
    row_cap: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    max_connections: Annotated[int, Meta(ge=1, le=16)] | None = None


# What tells the server that a password is for: with another of these it would go to somebody else.
ADDRESS = ("host", "port", "user", "tls", "ca_certificate")
_LIMITS = frozenset({"statement_seconds", "row_cap", "max_connections"})
_SERVER_FIELDS = frozenset({*ADDRESS, "database", "schemas"}) | _LIMITS
_FIELDS = {
    Kind.POSTGRESQL: _SERVER_FIELDS,
    Kind.MYSQL: _SERVER_FIELDS,
    Kind.SQLITE: _LIMITS | {"path"},
    Kind.DUCKDB: _LIMITS | {"path", "schemas"},
    Kind.FILES: _LIMITS | {"path", "pattern"},
    Kind.METRICS: frozenset(),
}
_NEEDED = {
    Kind.POSTGRESQL: ("host", "database", "user"),
    Kind.MYSQL: ("host", "database", "user"),
    Kind.METRICS: (),
}


def stored_options(kind: Kind, options: SourceOptions) -> dict[str, Any]:
    """What is stored of them. Raises InvalidRequest for what does not belong to the kind, or is missing."""
    given = {name: value for name, value in msgspec.to_builtins(options).items() if value is not None}
    foreign = sorted(set(given) - _FIELDS[kind])
    if foreign:
        known = ", ".join(sorted(_FIELDS[kind])) or "none"
        raise _bad(f"settings.{foreign[0]}", f"a source of the kind {kind} has no such setting; it has {known}")
    for name in _NEEDED.get(kind, ("path",)):
        if name not in given:
            raise _bad(f"settings.{name}", f"it is missing; a source of the kind {kind} needs it")
    if "host" in given and not _HOST.fullmatch(given["host"]):
        raise _bad("settings.host", f"{given['host']!r} is neither a host name nor an address")
    if "path" in given and not Path(given["path"]).is_absolute():
        raise _bad("settings.path", f"{given['path']!r} is not an absolute path; begin it with a slash")
    pattern = given.get("pattern", "")
    if pattern.startswith("/") or ".." in Path(pattern).parts:
        raise _bad("settings.pattern", "it leads out of the folder; use a pattern below it, such as **/*.csv")
    return given


async def require_path(context: Context, kind: Kind, options: dict[str, Any]) -> None:
    """Returns if the caller may register this path. Raises Forbidden, InvalidRequest."""
    if kind in SERVERS or kind is Kind.METRICS:
        return
    roots = context.parts.sources.roots
    if roots is None and not context.user.is_admin:
        raise Forbidden(
            "Only a server administrator may register files, as the operator has not set STUDIO_SOURCE_FOLDERS.",
            code="path_forbidden",
        )
    check = paths.resolve_folder if kind is Kind.FILES else paths.resolve_file
    try:
        await asyncio.to_thread(check, Path(options["path"]), roots)
    except ConnectorError as error:
        raise InvalidRequest(
            f"settings.path: {sentence(error)}", code=error.code, details={"parameter": "settings.path"}
        ) from None


def _bad(parameter: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{parameter}: {why}.", details={"parameter": parameter})
