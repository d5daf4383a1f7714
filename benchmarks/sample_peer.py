"""VictoriaMetrics, given the same samples by remote-write: its bytes a sample, and what it takes to read them."""

from __future__ import annotations

import http.client
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cramjam
import numpy as np
from numpy.typing import NDArray

from benchmarks.ingest import REMOTE_WRITE, free_port, running
from benchmarks.probe import Probe
from benchmarks.sample_data import KINDS, STEP_MS, Kind, times
from handlers.ingest.wire import write_bytes

DAY_MS = 86_400_000
SEED = 11
SERIES_OF_KIND = 16
# Samples of a series in one request.
_AT_ONCE = 1000
_QUIET_SECONDS = 20


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    probe: Probe
    folder: Path

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, REMOTE_WRITE if body else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status not in (200, 204):
            raise SystemExit(f"{path} answered {answer.status}: {text[:500]!r}")
        return text

    @property
    def bytes_on_disk(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def measured_peer(days: int, binaries: Path) -> list[str]:
    """The lines of two tables, of the program in a folder of unpacked Debian packages."""
    program = binaries / "usr" / "bin" / "victoria-metrics"
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        flags = [f"-storageDataPath={folder / 'data'}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=12"]
        with running([str(program), *flags], port, folder / "log", folder) as pid:
            server = _Server(port, Probe([pid]), folder / "data")
            return _measured(server, days)


def _measured(server: _Server, days: int) -> list[str]:
    rng = np.random.default_rng(SEED)
    count = days * DAY_MS // STEP_MS
    start_ms = int(time.time() * 1000) // DAY_MS * DAY_MS - days * DAY_MS
    at_ms = times(rng, start_ms, count)
    lines = [f"{SERIES_OF_KIND} series of each kind, each 10 s for {days} days, merged as far as it goes.", ""]
    lines += ["| kind of series | bytes a sample |", "|---|---|"]
    before, spent = server.bytes_on_disk, server.probe.cpu_seconds()
    samples = 0
    for place, kind in enumerate(KINDS):
        values = np.stack([kind.make(rng, count) for _ in range(SERIES_OF_KIND)])
        _write(server, f"kind_{place}", kind, at_ms, values)
        samples += values.size
        size = server.bytes_on_disk
        lines.append(f"| {kind.name} | {(size - before) / values.size:.2f} |")
        before = size
    cost = (server.probe.cpu_seconds() - spent) / samples * 1e6
    lines += [
        "",
        f"{cost:.2f} µs of CPU a sample, merging included.",
        "",
        "| read | wall, ms | CPU, ms |",
        "|---|---|---|",
    ]
    for title, query in (
        (f"one series, {days} days, averages of 15 min", 'avg_over_time(kind_0{host="host-0"}[15m])'),
        (f"160 series, {days} days, averages of 15 min summed", 'sum(avg_over_time({__name__=~"kind_[0-9]"}[15m]))'),
    ):
        wall, cpu = _best(server, query, start_ms, start_ms + days * DAY_MS)
        lines.append(f"| {title} | {wall:.1f} | {cpu:.1f} |")
    return lines


def _write(server: _Server, name: str, kind: Kind, at_ms: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    for place in range(0, len(at_ms), _AT_ONCE):
        part = slice(place, place + _AT_ONCE)
        message = b"".join(
            write_bytes(1, _labels(name, key.labels) + _samples(at_ms[part], row[part]))
            for key, row in zip(kind.keys(len(values)), values, strict=True)
        )
        server.ask("POST", "/api/v1/write", bytes(cramjam.snappy.compress_raw(message)))
    server.ask("GET", "/internal/force_flush")
    server.ask("GET", "/internal/force_merge")
    _settled(server)


def _settled(server: _Server) -> None:
    """Returns when its files have not changed for a second."""
    deadline = time.monotonic() + _QUIET_SECONDS
    before = -1
    while (size := server.bytes_on_disk) != before and time.monotonic() < deadline:
        before = size
        time.sleep(1)


def _labels(name: str, labels: Sequence[tuple[str, str]]) -> bytes:
    pairs = [("__name__", name), *labels]
    return b"".join(write_bytes(1, write_bytes(1, a.encode()) + write_bytes(2, b.encode())) for a, b in pairs)


def _samples(at_ms: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
    """Messages of 16 bytes each: a time of this century has 6 bytes."""
    rows = np.empty((len(values), 18), np.uint8)
    rows[:, :3] = (0x12, 16, 0x09)
    rows[:, 3:11] = values.astype("<f8").view(np.uint8).reshape(-1, 8)
    rows[:, 11] = 0x10
    for place in range(6):
        rows[:, 12 + place] = (at_ms >> (7 * place) & 0x7F) | (0x80 if place < 5 else 0)
    return rows.tobytes()


def _best(server: _Server, query: str, start_ms: int, end_ms: int, rounds: int = 5) -> tuple[float, float]:
    asked = {"query": query, "start": start_ms / 1000, "end": end_ms / 1000, "step": "15m", "nocache": "1"}
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), server.probe.cpu_seconds()
        answer = server.ask("GET", f"/api/v1/query_range?{urllib.parse.urlencode(asked)}")
        walls.append(time.perf_counter() - wall)
        cpus.append(server.probe.cpu_seconds() - cpu)
        assert answer.count(b'","') + answer.count(b'"],[') > 100, answer[:300]
    return min(walls) * 1000, min(cpus) * 1000
