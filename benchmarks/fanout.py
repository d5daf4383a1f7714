"""Fan-out: rooms of clients, some of whom write, everybody receives.

Each edit carries a marker, and a run ends when every client has seen every other writer's edits, each exactly once and
in order. A server that merges updates is thus counted fairly: by edits delivered, not by frames sent. Compare
`cpu_us_per_delivery`: server CPU time over edits delivered.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import time
from functools import partial

import pycrdt

from benchmarks.client import Client, Figures, connect_rooms, dialect_of, parser_of, run
from benchmarks.probe import Probe, Stretch
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
    """What the clients of one run have in common."""

    def __init__(self, writers: int, edits: int) -> None:
        self.writers, self.edits = writers, edits
        self.delivered = 0
        self.frames = 0
        self.latencies: list[float] = []
        self.sent_at: dict[tuple[str, int, int], float] = {}

    def percentile_ms(self, fraction: float) -> float:
        ordered = sorted(self.latencies)
        return round(ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] * 1e3, 2)


class Member(Client):
    """A client of a room; the first `writers` of a room write. `complete` is set when it has seen every edit."""

    def __init__(self, load: Load, dialect: Dialect, room: str, index: int, sampled: bool) -> None:
        super().__init__(dialect)
        self._load, self.room, self.index, self._sampled = load, room, index, sampled
        self.writes = index < load.writers
        self._awaited = (load.writers - self.writes) * load.edits
        self._next_edit = [0] * load.writers
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
            self._load.latencies.append(now - self._load.sent_at[self.room, writer, edit])
        if not self._awaited:
            self.complete.set_result(None)

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
        return partial(Member, load, dialect_of(options, room, index), room, index, index % step == 0)

    # Rooms of this process alone: on a server that ran before, too, they start empty.
    rooms = [f"fanout-{os.getpid()}-{number}" for number in range(options.rooms)]
    return await connect_rooms([[maker(room, index) for index in range(options.clients)] for room in rooms])


async def type_all(members: list[Member], options: argparse.Namespace) -> None:
    """Let the writers write, spread evenly over the interval, until everybody has everything."""
    updates = [updates_of(writer, options.edits) for writer in range(options.writers)]
    writers = [member for member in members if member.writes]
    step = options.interval / len(writers)
    writing = [member.write(updates[member.index], options.interval, n * step) for n, member in enumerate(writers)]
    everything = asyncio.gather(*writing, *(member.complete for member in members))
    await asyncio.wait_for(everything, options.timeout)


async def measure(options: argparse.Namespace) -> Figures:
    load, probe = Load(options.writers, options.edits), Probe(options.pid)
    members = await gather_members(load, options)
    await asyncio.sleep(options.settle)
    load.frames = 0
    stretch = Stretch(probe)
    await type_all(members, options)
    used = stretch.end()
    resident = probe.resident_kib()
    for member in members:
        member.close()
    return {
        "cpu_us_per_delivery": round(used.cpu_seconds / load.delivered * 1e6, 2),
        "p50_ms": load.percentile_ms(0.50),
        "p99_ms": load.percentile_ms(0.99),
        "cpu_s": round(used.cpu_seconds, 3),
        "seconds": round(used.seconds, 2),
        "others": round(used.others, 3),
        "delivered": load.delivered,
        "frames": load.frames,
        "resident_mib": round(resident / 1024, 1),
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
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
