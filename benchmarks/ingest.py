"""Samples pushed over HTTP into a server on SQLite: how many a second of one core's time, beside other receivers.

`python -m benchmarks.ingest` pushes the same 1,000 series in each request, by OTLP in protocol buffers, remote-write
and plain JSON lines. `--peers FOLDER` also pushes the remote-write to the `prometheus` and `victoria-metrics` in
FOLDER/usr/bin, where `dpkg -x` puts what `apt-get download prometheus victoria-metrics` fetches; they do not sync each
request to disk. `--keep` keeps the table in benchmarks/METRICS.md. Time is CPU time of the server's process, so that
others on the machine hardly matter.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cramjam

from benchmarks.cores import pinned_to
from benchmarks.metric_report import keep_section
from benchmarks.probe import Probe
from handlers.ingest.wire import write_bytes, write_varint

ROOT = Path(__file__).resolve().parents[1]
SERIES = 1000
WARM_UP = 20
SENDERS = 4
START_SECONDS = 60.0
OTLP = {"Content-Type": "application/x-protobuf"}
REMOTE_WRITE = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
LINES = {"Content-Type": "application/x-ndjson"}

Body = Callable[[int], bytes]


@dataclass(frozen=True)
class Target:
    """Where to push to."""

    port: int
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Result:
    """`cpu_seconds` of the receiving process, for so many samples."""

    who: str
    samples: int
    cpu_seconds: float
    seconds: float

    @property
    def row(self) -> str:
        rate, cost = self.samples / self.cpu_seconds, self.cpu_seconds / self.samples * 1e6
        return f"| {self.who} | {rate:,.0f} | {cost:.2f} | {self.samples / self.seconds:,.0f} |"


def _labels(series: int) -> dict[str, str]:
    return {"host": f"node-{series % 50}", "route": f"/api/v1/items/{series // 50}", "method": "GET"}


def _value(series: int, at_ms: int) -> float:
    return round(50 + (series * 7919 + at_ms // 1000 * 104729) % 5000 / 100, 2)


def otlp(at_ms: int) -> bytes:
    """One metric of 1,000 points with three attributes, as an SDK of a service sends it."""
    times = b"\x11" + struct.pack("<Q", 1_700_000_000 * 10**9) + b"\x19" + struct.pack("<Q", at_ms * 10**6)
    points = b"".join(
        write_bytes(1, times + b"\x21" + struct.pack("<d", _value(series, at_ms)) + attributes)
        for series, attributes in enumerate(_ATTRIBUTES)
    )
    metric = write_bytes(1, b"http.server.load") + write_bytes(3, b"%") + write_bytes(5, points)
    resource = write_bytes(1, _attribute("service.name", "shop"))
    return write_bytes(
        1, write_bytes(1, resource) + write_bytes(2, write_bytes(1, b"\x0a\x04shop") + write_bytes(2, metric))
    )


def _attribute(name: str, value: str) -> bytes:
    return write_bytes(1, name.encode()) + write_bytes(2, write_bytes(1, value.encode()))


_ATTRIBUTES = [
    b"".join(write_bytes(7, _attribute(name, value)) for name, value in _labels(series).items())
    for series in range(SERIES)
]


def remote_write(at_ms: int) -> bytes:
    """The same as Prometheus sends it."""
    message = b"".join(
        write_bytes(
            1, labels + write_bytes(2, b"\x09" + struct.pack("<d", _value(series, at_ms)) + write_varint(2, at_ms))
        )
        for series, labels in enumerate(_PAIRS)
    )
    return bytes(cramjam.snappy.compress_raw(message))


def _pair(name: str, value: str) -> bytes:
    return write_bytes(1, write_bytes(1, name.encode()) + write_bytes(2, value.encode()))


_PAIRS = [
    _pair("__name__", "http_server_load")
    + b"".join(_pair(name, value) for name, value in sorted({"job": "shop", **_labels(series)}.items()))
    for series in range(SERIES)
]


def lines(at_ms: int) -> bytes:
    """The same as plain JSON, one a line."""
    return b"\n".join(
        json.dumps({"metric": "load", "value": _value(i, at_ms), "at": at_ms, "labels": _labels(i)}).encode()
        for i in range(SERIES)
    )


def push(who: str, pid: int, target: Target, body: Body, requests: int) -> Result:
    """Several senders at once, each on a connection that stays open, each request of another second."""
    first = int(time.time() * 1000) - (WARM_UP + requests) * 1000
    bodies = [body(first + i * 1000) for i in range(WARM_UP + requests)]
    _send(target, bodies[:WARM_UP])
    probe, began = Probe([pid]), time.perf_counter()
    used = probe.cpu_seconds()
    senders = [threading.Thread(target=_send, args=(target, bodies[WARM_UP + i :: SENDERS])) for i in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return Result(who, requests * SERIES, probe.cpu_seconds() - used, time.perf_counter() - began)


def _send(target: Target, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    for body in bodies:
        connection.request("POST", target.path, body, target.headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 204) or text.startswith(b"\x0a"):
            raise SystemExit(f"{target.path} answered {answer.status}: {text[:500]!r}")
    connection.close()


@contextmanager
def running(command: list[str], port: int, log: Path, folder: Path) -> Iterator[int]:
    """The process id of a server on the last core, once it listens."""
    core = max(os.sched_getaffinity(0))
    with log.open("wb") as out, pinned_to(core):
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(log.read_text()[-2000:])
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure_ours(folder: Path, requests: int) -> list[Result]:
    """The server's defaults but for the limit of requests of one user, which would be what is measured."""
    port, data = free_port(), folder / "data"
    serve = [sys.executable, "-m", "server.cli", "serve", "--port", str(port), "--data", str(data)]
    limits = ["--request-rate", "100000", "--request-burst", "100000"]
    with running([*serve, *limits], port, folder / "server.log", ROOT) as pid:
        token = subprocess.run(
            [sys.executable, "-m", "server.cli", "token", "--data", str(data), "--user", "admin"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        forms: dict[str, tuple[str, dict[str, str], Body]] = {
            "OTLP, protocol buffers": ("otlp/v1/metrics", OTLP, otlp),
            "remote-write 1.0": ("api/v1/write", REMOTE_WRITE, remote_write),
            "JSON lines": ("samples", LINES, lines),
        }
        results = []
        for form, (path, headers, body) in forms.items():
            source, key = _source_with_key(port, token, form)
            target = Target(
                port, f"/performance/sources/{source}/{path}", {**headers, "Authorization": f"Bearer {key}"}
            )
            results.append(push(f"Collab Studio, {form}", pid, target, body, requests))
        return results


def _source_with_key(port: int, token: str, name: str) -> tuple[int, str]:
    made = _ask(port, token, "/data-sources", {"name": name, "kind": "files", "settings": {"path": "/"}})
    key = _ask(port, token, f"/performance/sources/{made['id']}/push-keys", {"name": "benchmark"})
    return int(made["id"]), str(key["secret"])


def _ask(port: int, token: str, path: str, body: dict[str, object]) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        raise SystemExit(f"{path} answered {answer.status}: {text!r}")
    found: dict[str, str] = json.loads(text)
    return found


def measure_peers(folder: Path, binaries: Path, requests: int) -> list[Result]:
    """Receivers of remote-write as Debian has them, each on one core as ours is."""
    port, results = free_port(), []
    commands = {
        "prometheus": [
            "--config.file=/dev/null",
            f"--storage.tsdb.path={folder}/prometheus",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
        ],
        "victoria-metrics": [f"-storageDataPath={folder}/victoria", f"-httpListenAddr=127.0.0.1:{port}"],
    }
    for name, flags in commands.items():
        program = binaries / "usr" / "bin" / name
        if program.exists():
            with running([str(program), *flags], port, folder / f"{name}.log", folder) as pid:
                target = Target(port, "/api/v1/write", REMOTE_WRITE)
                results.append(push(f"{name}, remote-write 1.0", pid, target, remote_write, requests))
    return results


def table(results: list[Result]) -> str:
    head = (
        "| receiver | samples a second of CPU time | µs CPU a sample | samples a second, as it was |\n|---|---|---|---|"
    )
    rows = "\n".join(result.row for result in results)
    return f"{SERIES:,} series in each request, {SENDERS} connections, one core, SQLite with fsync.\n\n{head}\n{rows}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="requests of 1,000 samples each")
    parser.add_argument("--peers", type=Path, help="the folder that Debian's packages were unpacked into")
    parser.add_argument("--keep", action="store_true", help="keep the table in benchmarks/METRICS.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="studio-ingest-") as name:
        results = measure_ours(Path(name), options.requests)
        if options.peers:
            results += measure_peers(Path(name), options.peers, options.requests)
    print(table(results))
    if options.keep:
        keep_section("ingest", "Samples pushed over HTTP", table(results))


if __name__ == "__main__":
    main()
