"""Fan-out: rooms of clients, some of whom write, everybody receives.

Each edit carries a marker, and a run ends when every client has seen every other writer's edits, each exactly once and
in order. A server that merges updates is thus counted fairly: by edits delivered, not by frames sent. Compare
`cpu_us_per_delivery`: server CPU time over edits delivered.

With several addresses the clients of each room are spread evenly over these nodes, and deliveries across nodes are
timed by themselves. With `--patience` edits that never arrive are counted as `missing` instead of failing the run.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import re
import time
from collections.abc import Awaitable, Sequence
from functools import partial

import pycrdt

from benchmarks.client import Client, Figures, connect_rooms, dialect_of, parser_of, run
from benchmarks.probe import Probe, Stretch, Usage
from benchmarks.wire import Dialect

MARKER = re.compile(rb"<(\d\d\d):(\d{6})>")
MARKER_LENGTH = 12
# Clients of a room whose latency is recorded: a look-up for each delivery would slow the load down.
SAMPLED_CLIENTS = 10


def updates_of(writer: int, edits: int) -> list[bytes]:
    """The updates of a writer who types markers one after the other, unaware of the others."""
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=1000 + writer)
    text = document.get("content", type=pycrdt.Text)
    updates: list[bytes] = []
    subscription = document.observe(lambda event: updates.append(event.update))
    for edit in range(edits):
        text.insert(edit * MARKER_LENGTH, f"<{writer:03d}:{edit:06d}>")
    document.unobserve(subscription)
    return updates


class Load:
    """What the clients of one run have in common.

    Latencies are those on the writer's own node, and those across nodes; what never arrived took infinitely long.
    """

    def __init__(self, writers: int, edits: int, nodes: int) -> None:
        self.writers, self.edits, self.nodes = writers, edits, nodes
        self.delivered = 0
        self.frames = 0
        self.own_latencies: list[float] = []
        self.cross_latencies: list[float] = []
        self.sent_at: dict[tuple[str, int, int], float] = {}

    def latencies(self, writer: int, reader: int) -> list[float]:
        """Where those of deliveries between these two clients are."""
        return self.own_latencies if writer % self.nodes == reader % self.nodes else self.cross_latencies


def percentile_ms(latencies: Sequence[float], fraction: float) -> float:
    ordered = sorted(latencies)
    return round(ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] * 1e3, 2)


class Member(Client):
    """A client of a room; the first `writers` of a room write. `complete` is set when it has seen every edit."""

    def __init__(self, load: Load, dialect: Dialect, room: str, index: int, sampled: bool) -> None:
        super().__init__(dialect)
        self._load, self.room, self.index, self._sampled = load, room, index, sampled
        self.writes = index < load.writers
        self._awaited = (load.writers - self.writes) * load.edits
        self._next_edit = [0] * load.writers
        self._latencies = [load.latencies(writer, index) for writer in range(load.writers)]
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._awaited:
            self.complete.set_result(None)

    def received(self, payload: bytes) -> None:
        now = time.perf_counter()
        self._load.frames += 1
        for found in MARKER.findall(payload):
            writer, edit = int(found[0]), int(found[1])
            # One dialect's servers send a writer its own edits back: no delivery.
            if writer != self.index:
                self._deliver(writer, edit, now)

    def _deliver(self, writer: int, edit: int, now: float) -> None:
        if edit != self._next_edit[writer]:
            self.fail(ValueError(f"edit {edit} of writer {writer} arrived instead of {self._next_edit[writer]}"))
            return
        self._next_edit[writer] = edit + 1
        self._load.delivered += 1
        self._awaited -= 1
        if self._sampled:
            self._latencies[writer].append(now - self._load.sent_at[self.room, writer, edit])
        if not self._awaited and not self.complete.done():
            self.complete.set_result(None)

    def give_up(self) -> None:
        """Wait no longer for what has not come."""
        if self.complete.done():
            return
        self.complete.set_result(None)
        for writer, seen in enumerate(self._next_edit):
            if self._sampled and writer != self.index:
                self._latencies[writer] += [math.inf] * (self._load.edits - seen)

    def fail(self, error: Exception) -> None:
        super().fail(error)
        if not self.complete.done():
            self.complete.set_exception(error)

    async def write(self, updates: list[bytes], interval: float, delay: float) -> None:
        """Send each update `interval` seconds after the one before, 0 for as fast as the loop turns."""
        due = time.perf_counter() + delay
        for edit, update in enumerate(updates):
            due += interval
            await asyncio.sleep(max(0.0, due - time.perf_counter()) if interval else 0)
            self._load.sent_at[self.room, self.index, edit] = time.perf_counter()
            self.send(self.dialect.update(update))


async def gather_members(load: Load, options: argparse.Namespace) -> list[Member]:
    step = max(1, options.clients // SAMPLED_CLIENTS)

    def maker(room: str, index: int) -> partial[Member]:
        # As many on each node.
        sampled = index // load.nodes % step == 0
        return partial(Member, load, dialect_of(options, room, index), room, index, sampled)

    # Rooms of this process alone: on a server that ran before, too, they start empty.
    rooms = [f"fanout-{os.getpid()}-{number}" for number in range(options.rooms)]
    return await connect_rooms([[maker(room, index) for index in range(options.clients)] for room in rooms])


async def type_all(members: list[Member], options: argparse.Namespace) -> None:
    """Let the writers write, spread evenly over the interval, until everybody has everything."""
    updates = [updates_of(writer, options.edits) for writer in range(options.writers)]
    writers = [member for member in members if member.writes]
    step = options.interval / len(writers)
    writing = asyncio.gather(
        *(member.write(updates[member.index], options.interval, n * step) for n, member in enumerate(writers))
    )
    everything: list[Awaitable[object]] = [writing, *(member.complete for member in members)]
    if options.patience is not None:
        everything.append(give_up(members, writing, options.patience))
    await asyncio.wait_for(asyncio.gather(*everything), options.timeout)


async def give_up(members: list[Member], writing: asyncio.Future[list[None]], patience: float) -> None:
    """After this many seconds without another edit nobody waits for what has not come."""
    await asyncio.shield(writing)
    await asyncio.wait([member.complete for member in members], timeout=patience)
    for member in members:
        member.give_up()


async def measure(options: argparse.Namespace) -> Figures:
    load = Load(options.writers, options.edits, len(options.url))
    probe = Probe(options.pid)
    members = await gather_members(load, options)
    await asyncio.sleep(options.settle)
    load.frames = 0
    stretch = Stretch(probe, Probe(options.service_pid))
    await type_all(members, options)
    used = stretch.end()
    resident = probe.resident_kib()
    for member in members:
        member.close()
    return figures_of(load, used, options) | {"resident_mib": round(resident / 1024, 1)}


def figures_of(load: Load, used: Usage, options: argparse.Namespace) -> Figures:
    expected = options.rooms * options.writers * (options.clients - 1) * options.edits
    services = {"services_cpu_us_per_delivery": round(used.services_cpu_seconds / load.delivered * 1e6, 2)}
    return {
        "cpu_us_per_delivery": round(used.cpu_seconds / load.delivered * 1e6, 2),
        **(services if options.service_pid else {}),
        "p50_ms": percentile_ms(load.own_latencies, 0.50),
        "p99_ms": percentile_ms(load.own_latencies, 0.99),
        **cross_figures(load),
        "cpu_s": round(used.cpu_seconds, 3),
        "seconds": round(used.seconds, 2),
        "others": round(used.others, 3),
        "delivered": load.delivered,
        "missing": expected - load.delivered,
        "frames": load.frames,
    }


def cross_figures(load: Load) -> Figures:
    """Of deliveries across nodes; `cross_delay_ms` is what the way between nodes adds to the p99."""
    if not load.cross_latencies:
        return {}
    own, cross = (percentile_ms(latencies, 0.99) for latencies in (load.own_latencies, load.cross_latencies))
    return {
        "cross_p50_ms": percentile_ms(load.cross_latencies, 0.50),
        "cross_p99_ms": cross,
        "cross_delay_ms": round(cross - own, 2) if math.isfinite(cross) and math.isfinite(own) else math.inf,
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rooms", type=int, default=1)
    parser.add_argument("--clients", type=int, default=50, help="clients in each room")
    parser.add_argument("--writers", type=int, default=5, help="of which this many write")
    parser.add_argument("--edits", type=int, default=200, help="edits of each writer")
    parser.add_argument("--interval", type=float, default=0.0, help="seconds between a writer's edits; 0: flat out")
    parser.add_argument("--settle", type=float, default=0.5, help="seconds between connecting and writing")
    parser.add_argument("--timeout", type=float, default=120.0)
    parser.add_argument(
        "--patience",
        type=float,
        help="seconds after the last edit when what has not arrived counts as missing",
    )
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
