"""The servers that are compared: how each is started, reached and named."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from benchmarks.cores import pinned_to
from benchmarks.node import PEERS, node_and_npm, node_version, package_version
from benchmarks.wire import HOCUSPOCUS, Y_WEBSOCKET

ROOT = Path(__file__).parent.parent
# On the disk of the checkout: a temporary folder is often in memory, where fsync costs nothing.
CACHE = Path(__file__).parent / ".cache"

START_DEADLINE = 60.0
# One of the peers does not end at a signal while it has had rooms.
STOP_DEADLINE = 3.0
LOG_TAIL = 2_000


class ServerError(Exception):
    """A server did not start, or did not answer as it must; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    arguments: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """`command` takes the port and the folder for data; `path` is where the dialect is served."""

    name: str
    title: str
    dialect: str
    path: str
    command: Callable[[int, Path], Command]
    version: Callable[[], str]
    needs_node: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    server: Server
    pid: int
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{self.server.path}"

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:].strip()


def studio_arguments(*arguments: str) -> list[str]:
    """The command `collab-studio`, run by this interpreter from the checkout."""
    return [sys.executable, "-m", "server.cli", *arguments]


def _studio(port: int, folder: Path) -> Command:
    return Command(studio_arguments("serve", "--port", str(port), "--data", str(folder)), ROOT)


def _hocuspocus(port: int, _folder: Path) -> Command:
    return Command([node_and_npm()[0], "hocuspocus.mjs"], PEERS, {"PORT": str(port)})


def _y_websocket(port: int, _folder: Path) -> Command:
    program = "node_modules/y-websocket/bin/server.cjs"
    return Command([node_and_npm()[0], program], PEERS, {"PORT": str(port), "HOST": "127.0.0.1"})


def _pycrdt_websocket(port: int, _folder: Path) -> Command:
    return Command([sys.executable, "pycrdt_server.py"], PEERS, {"PORT": str(port)})


def _studio_version() -> str:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return f"{version}, uvicorn {metadata.version('uvicorn')}, pycrdt {metadata.version('pycrdt')}"


def _hocuspocus_version() -> str:
    return f"{package_version('@hocuspocus/server')}, yjs {package_version('yjs')}, Node {node_version()}"


def _y_websocket_version() -> str:
    return f"{package_version('y-websocket')}, yjs {package_version('yjs')}, Node {node_version()}"


def _pycrdt_websocket_version() -> str:
    versions = {name: metadata.version(name) for name in ("pycrdt-websocket", "pycrdt", "uvicorn")}
    return f"{versions['pycrdt-websocket']}, pycrdt {versions['pycrdt']}, uvicorn {versions['uvicorn']}"


STUDIO = Server("collab-studio", "Collab Studio", HOCUSPOCUS, "/ws", _studio, _studio_version, ours=True)
STUDIO_Y = Server(
    "collab-studio-y", "Collab Studio, y-websocket dialect", Y_WEBSOCKET, "/yjs", _studio, _studio_version, ours=True
)
HOCUSPOCUS_PEER = Server("hocuspocus", "Hocuspocus", HOCUSPOCUS, "", _hocuspocus, _hocuspocus_version, needs_node=True)
Y_WEBSOCKET_PEER = Server(
    "y-websocket", "y-websocket", Y_WEBSOCKET, "", _y_websocket, _y_websocket_version, needs_node=True
)
PYCRDT_PEER = Server(
    "pycrdt-websocket", "pycrdt-websocket", Y_WEBSOCKET, "", _pycrdt_websocket, _pycrdt_websocket_version
)

SERVERS = (STUDIO, STUDIO_Y, HOCUSPOCUS_PEER, Y_WEBSOCKET_PEER, PYCRDT_PEER)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that goes away in the end."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as folder:
        yield Path(folder)


@contextmanager
def running(server: Server, core: int, folder: Path) -> Iterator[Running]:
    """Start the server on a core, wait until it takes connections, stop it in the end.

    Its data is in `folder`/data, its log in `folder`/log. Raises ServerError when it does not start.
    """
    port, log = _free_port(), folder / "log"
    process = _start(server.command(port, folder / "data"), log, core)
    try:
        started = Running(server, process.pid, port, log)
        _wait_until_listening(process, started)
        yield started
    finally:
        _stop(process)


def _start(command: Command, log: Path, core: int) -> subprocess.Popen[bytes]:
    # The settings of whoever runs the benchmark are not what is measured.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    with log.open("wb") as out, pinned_to(core):
        return subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env={**inherited, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def _wait_until_listening(process: subprocess.Popen[bytes], started: Running) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", started.port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    reason = "ended" if process.poll() is not None else f"did not listen within {START_DEADLINE:.0f} s"
    raise ServerError(f"{started.server.title} {reason}:\n{started.log_tail()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
