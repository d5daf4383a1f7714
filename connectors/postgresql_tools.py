"""pg_dump and pg_restore: found, checked against the server's version, run with a password that nobody else sees."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import BackupError, DiskFull, ToolMissing
from connectors.postgresql_session import PORT
from connectors.settings import SourceSettings

DUMP, RESTORE = "pg_dump", "pg_restore"
LOCK_MS = 30_000
_TLS = {"disable": "disable", "prefer": "prefer", "require": "require", "verify": "verify-full"}
_ERROR_CHARACTERS = 600
_STOP_SECONDS = 2.0
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, and its version as it tells it."""

    path: str
    version: str

    @property
    def major(self) -> int:
        found = re.search(r"(\d+)", self.version)
        return int(found[1]) if found else 0


async def find_tool(name: str, folder: Path | None, server_major: int) -> Tool:
    """The program in the folder, or on the path. Raises ToolMissing where it is not there, or older than the server."""
    where = str(folder) if folder else None
    path = shutil.which(name, path=where)
    if path is None:
        place = f"in {where}" if where else "on the path"
        raise ToolMissing(
            f"there is no {name} {place}; install the client programs of PostgreSQL {server_major} or newer, "
            "or name their folder by STUDIO_POSTGRES_TOOLS"
        )
    process = await asyncio.create_subprocess_exec(
        path, "--version", env=_plain(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    tool = Tool(path, output.decode(errors="replace").strip())
    if tool.major < server_major:
        raise ToolMissing(
            f"{name} at {path} is of PostgreSQL {tool.major}, and the server of {server_major}; install the client "
            f"programs of PostgreSQL {server_major} or newer, or name their folder by STUDIO_POSTGRES_TOOLS"
        )
    return tool


@contextlib.asynccontextmanager
async def environment(settings: SourceSettings, database: str | None = None) -> AsyncIterator[dict[str, str]]:
    """All that a child needs to sign in. What it is given on its command line anybody on the machine may read."""
    variables = {
        **_plain(),
        "PGHOST": settings.host or "",
        "PGPORT": str(settings.port or PORT),
        "PGUSER": settings.user or "",
        "PGPASSWORD": settings.password or "",
        "PGDATABASE": database or settings.database or "",
        "PGSSLMODE": _TLS[settings.tls],
        "PGCONNECT_TIMEOUT": str(max(2, int(settings.limits.connect_seconds))),
        "PGAPPNAME": "collab-studio backup",
        # Nothing of the server's own account is used to sign in elsewhere.
        "PGPASSFILE": os.devnull,
    }
    with contextlib.ExitStack() as stack:
        if settings.tls == "verify":
            variables["PGSSLROOTCERT"] = "system"
            if settings.ca_certificate:
                file = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".pem"))
                file.write(settings.ca_certificate)
                file.flush()
                variables["PGSSLROOTCERT"] = file.name
        yield variables


@contextlib.asynccontextmanager
async def running(
    tool: Tool, arguments: Sequence[str], variables: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program, ended with the block; it is waited for, and has to have succeeded, unless the block raises.

    Raises BackupError with what the program said.
    """
    # A file takes any number of complaints, and nobody has to read them meanwhile.
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            tool.path, *arguments, env=dict(variables), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=complaints,
        )  # fmt: skip
        try:
            yield process
            assert process.stdout is not None
            while await process.stdout.read(_READ_BYTES):
                pass
            code = await process.wait()
        finally:
            await _end(process)
        if code:
            complaints.seek(0)
            raise _failed(tool, code, complaints.read(_ERROR_CHARACTERS * 4).decode(errors="replace"))


async def run(tool: Tool, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """Runs it to its end. Raises BackupError."""
    async with running(tool, arguments, variables):
        pass


async def _end(process: asyncio.subprocess.Process) -> None:
    """Whatever happens, no program is left behind."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()


def _failed(tool: Tool, code: int, said: str) -> BackupError:
    name = Path(tool.path).name
    text = " ".join(said.split())
    if "No space left on device" in text:
        return DiskFull("the disk is full")
    return BackupError(f"{text[:_ERROR_CHARACTERS] or f'{name} ended with {code}'}")


def _plain() -> dict[str, str]:
    # In English, as what it says is looked at.
    return {"PATH": os.defpath, "LC_ALL": "C"}
