"""What is measured: each row of the table, its load, the servers it runs on and the ratios to reach."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.servers import HOCUSPOCUS_PEER, PYCRDT_PEER, SERVERS, STUDIO, Server


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that the load program prints under `key`; the lower, the better."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Target:
    """Collab Studio's figure is at most `at_most` times that of `against`, or at most `at_most` where that is None."""

    figure: Figure
    at_most: float
    against: Server | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A load and what is read from it.

    `load`, `quick` and `warm_up` are arguments of the module `program`; the latter two are added to `load`. The warm-up
    goes before the load, on the same server, so that its code is loaded and compiled.
    """

    name: str
    title: str
    program: str
    load: tuple[str, ...]
    quick: tuple[str, ...]
    warm_up: tuple[str, ...]
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]

    def compared(self) -> tuple[Server, ...]:
        """The servers that the targets speak of."""
        return (STUDIO, *dict.fromkeys(target.against for target in self.targets if target.against))


CPU_PER_DELIVERY = Figure("cpu_us_per_delivery", "server CPU per delivered edit, µs")
MEDIAN_LATENCY = Figure("p50_ms", "median latency, ms")
LATENCY = Figure("p99_ms", "p99 latency, ms")
CPU_PER_JOIN = Figure("cpu_ms_per_join", "server CPU per join, ms")
MEMORY = Figure("kib_per_connection", "resident memory per connection, KiB")

ROWS = (
    Row(
        name="room",
        title="1 room, 100 clients, 10 writers at 10 edits/s",
        program="fanout",
        load=("--clients", "100", "--writers", "10", "--edits", "100", "--interval", "0.1"),
        quick=("--edits", "30"),
        warm_up=("--edits", "30"),
        figures=(CPU_PER_DELIVERY, MEDIAN_LATENCY, LATENCY),
        targets=(
            Target(CPU_PER_DELIVERY, 0.5, HOCUSPOCUS_PEER),
            Target(CPU_PER_DELIVERY, 0.2, PYCRDT_PEER),
            Target(LATENCY, 1.0, HOCUSPOCUS_PEER),
        ),
    ),
    Row(
        name="rooms",
        title="60 rooms of 4 clients, 2 writers each at 10 edits/s",
        program="fanout",
        load=("--rooms", "60", "--clients", "4", "--writers", "2", "--edits", "100", "--interval", "0.1"),
        quick=("--edits", "30"),
        warm_up=("--edits", "30"),
        figures=(CPU_PER_DELIVERY, MEDIAN_LATENCY, LATENCY),
        targets=(Target(CPU_PER_DELIVERY, 0.5, HOCUSPOCUS_PEER),),
    ),
    Row(
        name="flood",
        title="1 room, 50 clients, 5 writers flat out, 1,000 edits each",
        program="fanout",
        load=("--clients", "50", "--writers", "5", "--edits", "1000"),
        quick=(),
        warm_up=("--edits", "300"),
        figures=(CPU_PER_DELIVERY,),
        targets=(Target(CPU_PER_DELIVERY, 0.25, HOCUSPOCUS_PEER),),
    ),
    Row(
        name="join",
        title="200 clients join a 223 KB document at once",
        program="join",
        load=("--joiners", "200"),
        quick=(),
        warm_up=("--joiners", "40", "--settle", "0.5"),
        figures=(CPU_PER_JOIN,),
        targets=(Target(CPU_PER_JOIN, 0.1, HOCUSPOCUS_PEER),),
    ),
    Row(
        name="idle",
        title="2,000 idle connections in 200 rooms",
        program="idle",
        load=("--rooms", "200", "--clients", "10"),
        quick=("--rooms", "50"),
        warm_up=("--rooms", "2", "--settle", "1"),
        figures=(MEMORY,),
        targets=(Target(MEMORY, 20.0), Target(MEMORY, 1.0, HOCUSPOCUS_PEER)),
    ),
)


def servers_of(row: Row, quick: bool) -> tuple[Server, ...]:
    """All in full, in quick only those that a target compares."""
    return row.compared() if quick else SERVERS
