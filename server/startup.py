"""What must be there before the server can start: a folder, a database, an address. Failures in words, never traces."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import socket
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import redis.asyncio
import redis.exceptions
from sqlalchemy import text

from server.setting_values import hide_password
from server.settings import Settings
from storage.database import Database
from storage.engines import SQLITE, parse_url
from storage.errors import StorageError

# Another machine that does not answer within this is down, or behind a firewall that says nothing.
REACH_SECONDS = 10.0
BACKLOG = 2048
# Each connection is one; more than this many are more than one process can serve.
OPEN_FILES = 65_536
# glibc gives each thread a heap of its own, and what the thread of a database connection once needed is free for that
# thread only: over a dozen threads as much again as is in use, and still growing after minutes. With two the loop's
# thread and another seldom wait for each other.
HEAPS = 2
_M_ARENA_MAX = -8
# Of the systems that we run on, this one deals new connections out to sockets that share a port.
SPREADS = sys.platform == "linux"

Address = tuple[int, Any]
"""An address family, and an address as sockets of that family take it."""


class StartError(Exception):
    """The server cannot start; the message is one line for its operator."""


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL, None for other databases."""
    parsed = parse_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == SQLITE else None


def prepare_folder(folder: Path) -> None:
    """Make the folder if it is not there and make sure that files can be made in it. Raises StartError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StartError(_unwritable(folder, error)) from None


async def open_database(settings: Settings, *, migrate: bool = True) -> Database:
    """The database, migrated unless somebody else has just done so. The caller closes it. Raises StartError."""
    if (file := sqlite_file(settings.database_url)) is not None:
        prepare_folder(file.parent)
    return await _reach(settings.database_url, migrate=migrate)


@contextlib.contextmanager
def only_server(settings: Settings) -> Iterator[None]:
    """Hold the embedded database for this server alone until the block ends. Raises StartError if another does.

    Two servers would each keep a live document of their own, and their editors would not see each other.
    """
    file = sqlite_file(settings.database_url)
    if file is None or os.name != "posix":
        yield
        return
    prepare_folder(file.parent)
    with file.with_name(file.name + ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                f"another server already serves {file}; stop it, or choose another folder with --data"
            ) from None
        yield


def allow_open_files() -> None:
    """Let this process have as many connections as its hard limit says; shells and init systems start with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def calm_arithmetic(environ: MutableMapping[str, str]) -> None:
    """Processes that get this environment multiply matrices on one thread each, unless the operator says otherwise.

    Several of them share the cores with live editing. On a busy machine two threads that wait for each other at every
    product took up to ten times as long as one.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        environ.setdefault(name, "1")


def share_heaps() -> None:
    """Let the threads of this process share few heaps, where malloc is glibc's. To be called before there are any."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, HEAPS)


def bind(settings: Settings) -> socket.socket:
    """A socket that listens on the settings' address: from now on nobody else can take it. Raises StartError."""
    (listener,) = bind_for_each(settings, 1)
    return listener


def bind_for_each(settings: Settings, processes: int) -> list[socket.socket]:
    """A listening socket for each of so many processes, all on the settings' address. Raises StartError.

    Where sockets that share a port are each given their part of the new connections, every process has one of its
    own; elsewhere all of them take what comes from one.
    """
    first = _bound(settings, _address(settings))
    listeners = [first]
    if processes > 1 and SPREADS:
        # Only now: bound alone, it has proved that no other program has the port.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        same = (first.family, first.getsockname())
        listeners += [_bound(settings, same, shared=True) for _ in range(processes - 1)]
    for listener in listeners:
        listener.listen(BACKLOG)
        listener.setblocking(False)
    return listeners if SPREADS else listeners * processes


def _address(settings: Settings) -> Address:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a host name"
        raise StartError(f"cannot listen on {settings.host}: {why}; set --host to an address of this machine") from None
    # IPv4 first: "localhost" is asked for by people whose tools try that.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _bound(settings: Settings, place: Address, *, shared: bool = False) -> socket.socket:
    family, address = place
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise StartError(_unbindable(settings, error)) from None
    return listener


def address_of(settings: Settings, listener: socket.socket) -> str:
    """Where people find the server: the public URL, or the address as a browser on this machine would write it."""
    if settings.public_url:
        return settings.public_url
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


async def find_problems(settings: Settings) -> list[str]:
    """All that would keep a server with these settings from starting or working, changing nothing."""
    problems = [*_folder_problems(settings)]
    if not problems:
        problems += await _database_problems(settings)
    problems += await _redis_problems(settings)
    try:
        bind(settings).close()
    except StartError as error:
        problems.append(str(error))
    return problems


def _folder_problems(settings: Settings) -> list[str]:
    file = sqlite_file(settings.database_url)
    if file is None:
        return []
    nearest = file.parent
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return []
    except OSError as error:
        return [_unwritable(nearest, error)]


async def _database_problems(settings: Settings) -> list[str]:
    file = sqlite_file(settings.database_url)
    if file is not None and not file.exists():
        return []
    try:
        database = await _reach(settings.database_url, migrate=False)
    except StartError as error:
        return [str(error)]
    await database.close()
    return []


async def _reach(url: str, *, migrate: bool) -> Database:
    shown = hide_password(url)
    try:
        async with asyncio.timeout(REACH_SECONDS):
            database = await Database.open(url)
    except TimeoutError:
        raise StartError(f"cannot reach the database {shown}: no answer in {REACH_SECONDS:g} seconds") from None
    except (StorageError, OSError) as error:
        raise StartError(f"cannot use the database {shown}: {_plain(error)}") from None
    try:
        if migrate:
            await database.migrate()
        else:
            async with database.read() as connection:
                await connection.execute(text("SELECT 1"))
    except (StorageError, OSError) as error:
        await database.close()
        raise StartError(f"cannot use the database {shown}: {_plain(error)}") from None
    return database


async def _redis_problems(settings: Settings) -> list[str]:
    if settings.redis_url is None:
        return []
    client = redis.asyncio.from_url(settings.redis_url, socket_connect_timeout=REACH_SECONDS)
    try:
        async with asyncio.timeout(REACH_SECONDS):
            await client.ping()
    except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
        return [f"cannot reach Redis at {hide_password(settings.redis_url)}: {_plain(error)}"]
    finally:
        await client.aclose()
    return []


def _unwritable(folder: Path, error: OSError) -> str:
    return f"cannot write to the folder {folder}: {error.strerror}; set --data to a folder this user may write to"


def _unbindable(settings: Settings, error: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {settings.port} on {settings.host} is in use by another program; choose another with --port"
        case errno.EACCES:
            return f"this user may not listen on {where}; choose a port above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"{settings.host} is not an address of this machine; choose one with --host, such as 127.0.0.1"
        case _:
            return f"cannot listen on {where}: {error.strerror or os.strerror(error.errno or 0)}"


def _plain(error: BaseException) -> str:
    """The error in one line."""
    return " ".join((str(error) or type(error).__name__).split())
