"""The servers that are compared: how each is started, reached and named."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.backing_services import Services, running_services
from benchmarks.cores import Cores
from benchmarks.node import PEERS, node_and_npm, node_version, package_version
from benchmarks.processes import Command, free_port, listening, log_tail
from benchmarks.wire import HOCUSPOCUS, Y_WEBSOCKET

ROOT = Path(__file__).parent.parent
# On the disk of the checkout: a temporary folder is often in memory, where fsync costs nothing.
CACHE = Path(__file__).parent / ".cache"
# The embedded database's folder inside that of a run.
EMBEDDED_DATA = "data"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node of a server runs. `services` is what it shares with others, None for a server alone."""

    port: int
    data: Path
    services: Services | None


@dataclass(frozen=True, slots=True)
class Server:
    """`path` is where the dialect is served. `shares` tells whether many nodes of it may serve the same documents."""

    name: str
    title: str
    dialect: str
    path: str
    command: Callable[[Place], Command]
    version: Callable[[], str]
    needs_node: bool = False
    ours: bool = False
    shares: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """A server's nodes: their processes, ports and logs in the same order, and what they share."""

    server: Server
    pids: tuple[int, ...]
    ports: tuple[int, ...]
    logs: tuple[Path, ...]
    services: Services | None

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"ws://127.0.0.1:{port}{self.server.path}" for port in self.ports)

    def log_tail(self) -> str:
        return "\n".join(filter(None, map(log_tail, self.logs)))


def studio_arguments(*arguments: str) -> list[str]:
    """The command `collab-studio`, run by this interpreter from the checkout."""
    return [sys.executable, "-m", "server.cli", *arguments]


def studio_database(data: Path, services: Services | None) -> tuple[str, ...]:
    """The flags that tell any of its commands where the database is."""
    if services and services.database_url:
        return ("--data", str(data), "--database-url", services.database_url)
    return ("--data", str(data))


def _studio(place: Place) -> Command:
    bus = ("--redis-url", place.services.redis_url) if place.services else ()
    database = studio_database(place.data, place.services)
    # All clients come at once here, which is to be measured and not to be spread.
    crowd = ("--accept-rate", "100000", "--accept-burst", "100000")
    return Command(studio_arguments("serve", "--port", str(place.port), *crowd, *database, *bus), ROOT)


def _hocuspocus(place: Place) -> Command:
    redis = {"REDIS_PORT": str(place.services.redis_port)} if place.services else {}
    return Command([node_and_npm()[0], "hocuspocus.mjs"], PEERS, {"PORT": str(place.port), **redis})


def _y_websocket(place: Place) -> Command:
    program = "node_modules/y-websocket/bin/server.cjs"
    return Command([node_and_npm()[0], program], PEERS, {"PORT": str(place.port), "HOST": "127.0.0.1"})


def _pycrdt_websocket(place: Place) -> Command:
    return Command([sys.executable, "pycrdt_server.py"], PEERS, {"PORT": str(place.port)})


def _studio_version() -> str:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return f"{version}, uvicorn {metadata.version('uvicorn')}, pycrdt {metadata.version('pycrdt')}"


def _hocuspocus_version() -> str:
    versions = {name: package_version(f"@hocuspocus/{name}") for name in ("server", "extension-redis")}
    return (
        f"{versions['server']}, extension-redis {versions['extension-redis']}, yjs {package_version('yjs')}, "
        f"Node {node_version()}"
    )


def _y_websocket_version() -> str:
    return f"{package_version('y-websocket')}, yjs {package_version('yjs')}, Node {node_version()}"


def _pycrdt_websocket_version() -> str:
    versions = {name: metadata.version(name) for name in ("pycrdt-websocket", "pycrdt", "uvicorn")}
    return f"{versions['pycrdt-websocket']}, pycrdt {versions['pycrdt']}, uvicorn {versions['uvicorn']}"


STUDIO = Server("collab-studio", "Collab Studio", HOCUSPOCUS, "/ws", _studio, _studio_version, ours=True, shares=True)
STUDIO_Y = Server(
    "collab-studio-y", "Collab Studio, y-websocket dialect", Y_WEBSOCKET, "/yjs", _studio, _studio_version, ours=True
)
HOCUSPOCUS_PEER = Server(
    "hocuspocus", "Hocuspocus", HOCUSPOCUS, "", _hocuspocus, _hocuspocus_version, needs_node=True, shares=True
)
Y_WEBSOCKET_PEER = Server(
    "y-websocket", "y-websocket", Y_WEBSOCKET, "", _y_websocket, _y_websocket_version, needs_node=True
)
PYCRDT_PEER = Server(
    "pycrdt-websocket", "pycrdt-websocket", Y_WEBSOCKET, "", _pycrdt_websocket, _pycrdt_websocket_version
)

SERVERS = (STUDIO, STUDIO_Y, HOCUSPOCUS_PEER, Y_WEBSOCKET_PEER, PYCRDT_PEER)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that goes away in the end. Other users may enter it: PostgreSQL may be run by one."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def running(server: Server, cores: Cores, folder: Path, *, nodes: int = 1, shared: bool = False) -> Iterator[Running]:
    """Start the server's nodes on its core, wait until each takes connections, stop them in the end.

    `shared` puts them over PostgreSQL and Redis. Their data and logs are in the folder. Raises ServerError when
    something does not start.
    """
    with ExitStack() as stack:
        services = None
        if shared:
            services = stack.enter_context(running_services(folder, cores.services, database=server.ours))
        ports, pids, logs = [], [], []
        for number in range(nodes):
            port, log = free_port(), folder / f"node-{number}.log"
            command = server.command(Place(port, folder / EMBEDDED_DATA, services))
            pids.append(stack.enter_context(listening(server.title, command, port, log, cores.server)))
            ports.append(port)
            logs.append(log)
        yield Running(server, tuple(pids), tuple(ports), tuple(logs), services)
