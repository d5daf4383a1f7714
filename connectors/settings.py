"""Where a source is and how much may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

TLS_MODES = ("disable", "prefer", "require", "verify")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """What keeps a source from being hurt."""

    # What a person waits for at most, and what a busy source bears.
    statement_seconds: float = 60.0
    connect_seconds: float = 10.0
    # More rows than this say nothing new in figures; a scan of everything may ask for more by its settings.
    row_cap: int = 10_000_000
    # One that reads and one that asks; never so many that others find the source full.
    connections: int = 2
    # For what is read in our own process: files, DuckDB.
    memory_bytes: int = 1024 * 1024 * 1024
    threads: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """A server's address, or a path; the rest has defaults.

    `path` is the file of SQLite and DuckDB, the folder of files; `pattern` a glob in that folder. `roots` are the
    folders that a path has to lie in, None for any. `tls` is one of `TLS_MODES`; `ca_certificate` is
    PEM text, for `verify`; without it the system's authorities count.
    """

    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: str = "prefer"
    ca_certificate: str | None = None
    schemas: tuple[str, ...] = ()
    path: Path | None = None
    pattern: str = "**/*"
    roots: tuple[Path, ...] | None = None
    limits: SourceLimits = field(default_factory=SourceLimits)
