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
    """Collab Studio's figure is at most `at_most` times that of `against`, or at most `at_most` where that is None.

    `base` is the row that holds the figure of `against`, None for the target's own.
    """

    figure: Figure
    at_most: float
    against: Server | None = None
    base: Row | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A load and what is read from it.

    `load`, `quick` and `warm_up` are arguments of the module `program`; the latter two are added to `load`. The warm-up
    goes before the load, on the same server, so that its code is loaded and compiled. `nodes` are over PostgreSQL and
    Redis, 0 for a server alone, as it starts by default.
    """

    name: str
    title: str
    program: str
    load: tuple[str, ...]
    quick: tuple[str, ...]
    warm_up: tuple[str, ...]
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]
    nodes: int = 0

    @property
    def servers(self) -> tuple[Server, ...]:
        """Those that can run it."""
        return tuple(server for server in SERVERS if server.shares or not self.nodes)

    def compared(self) -> tuple[Server, ...]:
        """The servers that the targets speak of."""
        return tuple(dict.fromkeys([STUDIO, *(target.against for target in self.targets if target.against)]))


CPU_PER_DELIVERY = Figure("cpu_us_per_delivery", "server CPU per delivered edit, µs")
MEDIAN_LATENCY = Figure("p50_ms", "median latency, ms")
LATENCY = Figure("p99_ms", "p99 latency, ms")
SERVICES_CPU = Figure("services_cpu_us_per_delivery", "PostgreSQL's and Redis' CPU per delivered edit, µs")
OWN_MEDIAN_LATENCY = Figure("p50_ms", "median latency on the writer's node, ms")
OWN_LATENCY = Figure("p99_ms", "p99 latency on the writer's node, ms")
CROSS_MEDIAN_LATENCY = Figure("cross_p50_ms", "median latency across nodes, ms")
CROSS_LATENCY = Figure("cross_p99_ms", "p99 latency across nodes, ms")
CROSS_DELAY = Figure("cross_delay_ms", "p99 latency across nodes beyond that on the writer's, ms")
MISSING = Figure("missing", "edits that did not arrive")
CPU_PER_JOIN = Figure("cpu_ms_per_join", "server CPU per join, ms")
MEMORY = Figure("kib_per_connection", "resident memory per connection, KiB")

ON_ONE_NODE = (CPU_PER_DELIVERY, SERVICES_CPU, MEDIAN_LATENCY, LATENCY, MISSING)
ACROSS_NODES = (
    *(CPU_PER_DELIVERY, SERVICES_CPU),
    *(OWN_MEDIAN_LATENCY, OWN_LATENCY),
    *(CROSS_MEDIAN_LATENCY, CROSS_LATENCY, CROSS_DELAY),
    MISSING,
)
# What a server loses between its nodes is a figure, not a failure.
PATIENCE = ("--patience", "10")

ONE_NODE = Row(
    name="one-node",
    title="one node with PostgreSQL and Redis: 1 room, 100 clients, 10 writers at 10 edits/s",
    program="fanout",
    load=("--clients", "100", "--writers", "10", "--edits", "100", "--interval", "0.1", *PATIENCE),
    quick=("--edits", "30"),
    warm_up=("--edits", "30"),
    figures=ON_ONE_NODE,
    targets=(),
    nodes=1,
)

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
    ONE_NODE,
    Row(
        name="two-nodes",
        title="two nodes: 1 room, 100 clients, 10 writers at 10 edits/s",
        program="fanout",
        load=ONE_NODE.load,
        quick=ONE_NODE.quick,
        warm_up=ONE_NODE.warm_up,
        figures=ACROSS_NODES,
        targets=(
            Target(CPU_PER_DELIVERY, 1.6, STUDIO, base=ONE_NODE),
            Target(CPU_PER_DELIVERY, 0.4, HOCUSPOCUS_PEER),
            Target(CROSS_DELAY, 30.0),
            Target(MISSING, 0.0),
        ),
        nodes=2,
    ),
    Row(
        name="two-nodes-rooms",
        title="two nodes: 60 rooms of 4 clients, 2 writers each at 10 edits/s",
        program="fanout",
        load=("--rooms", "60", "--clients", "4", "--writers", "2", "--edits", "100", "--interval", "0.1", *PATIENCE),
        quick=("--edits", "30"),
        warm_up=("--edits", "30"),
        figures=ACROSS_NODES,
        targets=(Target(CPU_PER_DELIVERY, 0.4, HOCUSPOCUS_PEER), Target(MISSING, 0.0)),
        nodes=2,
    ),
)


def servers_of(row: Row, quick: bool) -> tuple[Server, ...]:
    """All in full, in quick only those that a target compares."""
    return row.compared() if quick else row.servers
