"""A model of a source whose statistics may do anything, visited by collectors that may die, by clocks that go wrong."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

from connectors.performance.epochs import Followed, Sample, Standing, follow, interrupted, recalled, remembered
from connectors.performance.figures import COUNTER, Figure, FigureGroup, Visit

INTERVAL_MS = 10_000
LEVEL = "fast"
GROUPS = {"database/a": ("commits", "rollbacks"), "database/b": ("reads",), "wal": ("bytes",)}


@dataclass
class Server:
    """Counters by (group, metric), each with the number of its life; `resets` is what the server says of a group."""

    number: int
    started: int = 0
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    lives: dict[tuple[str, str], int] = field(default_factory=dict)
    resets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for group, metrics in GROUPS.items():
            self.reset(group)
            for metric in metrics:
                self.values[group, metric] = self.number * 1_000.0

    def begin(self, group: str, metric: str) -> None:
        self.lives[group, metric] = self.lives.get((group, metric), 0) + 1
        self.values[group, metric] = 0.0

    def reset(self, group: str) -> None:
        self.resets[group] = self.resets.get(group, 0) + 1
        for metric in GROUPS[group]:
            self.begin(group, metric)

    def restart(self) -> None:
        """Nothing but the time of the start says that the counters began anew."""
        self.started += 1
        for group, metric in self.values:
            self.begin(group, metric)

    @property
    def identity(self) -> str:
        return f"{self.number}/{self.started}"


@dataclass
class World:
    """A source whose statistics may do anything, visited by collectors that may die. `lives` tells for each stored
    sample of a counter which life it is of."""

    servers: list[Server] = field(default_factory=lambda: [Server(1), Server(2)])
    active: int = 0
    now_ms: int = 1_000_000_000
    standing: Standing | None = None
    note: str = "{}"
    newest_ms: int = 0
    stored: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    lives: dict[tuple[str, str, int], int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)

    @property
    def server(self) -> Server:
        return self.servers[self.active]

    def visit(self, *, notes: bool = True) -> Followed:
        groups = [
            FigureGroup(
                group,
                str(self.server.resets[group]),
                [
                    Figure(metric, (("group", group),), COUNTER, "", self.server.values[group, metric])
                    for metric in metrics
                    if metric not in self.hidden
                ],
            )
            for group, metrics in GROUPS.items()
            if group not in self.hidden
        ]
        followed = follow(self.standing, Visit(self.now_ms, self.server.identity, groups, 0.0), INTERVAL_MS)
        self.take(followed, notes=notes)
        if not followed.is_too_early:
            self.newest_ms = max(self.newest_ms, followed.standing.at_ms)
            self.missed |= self.hidden
        return followed

    def take(self, followed: Followed, *, notes: bool = True) -> None:
        for sample in followed.samples:
            self.store(sample)
        self.standing = followed.standing
        if notes and not followed.is_too_early:
            self.note = remembered({LEVEL: followed.standing})

    def store(self, sample: Sample) -> None:
        key = (sample.figure.metric, sample.figure.labels[0][1])
        there = self.stored.setdefault(key, {}).get(sample.at_ms, math.nan)
        assert math.isnan(there), "two samples of one series at one time"
        self.stored[key][sample.at_ms] = sample.figure.value
        self.lives[*key, sample.at_ms] = self.server.number * 1_000_000 + self.server.lives[key[1], key[0]]

    def interrupt(self) -> None:
        if self.standing is not None:
            self.take(interrupted(self.standing, self.now_ms))

    def replace_collector(self) -> None:
        self.standing = recalled(self.note, {LEVEL: self.newest_ms} if self.newest_ms else {}).get(LEVEL)

    def rated(self) -> list[tuple[tuple[str, str], int, int]]:
        """Key and times of each two samples that a rate is computed from."""
        pairs = []
        for key, samples in self.stored.items():
            times = sorted(samples)
            for first, second in itertools.pairwise(times):
                if samples[second] >= samples[first]:  # false where either is a marker
                    pairs.append((key, first, second))
        return pairs


def happen(world: World, name: str, how: object) -> None:
    match name, how:
        case "visit", bool():
            world.now_ms += INTERVAL_MS
            world.visit(notes=how)
        case "wait", int():
            world.now_ms += how
        case "die", _:
            world.replace_collector()
        case "interrupt", _:
            world.interrupt()
        case _:
            happen_to_the_source(world, name, how)


def happen_to_the_source(world: World, name: str, how: object) -> None:
    match name, how:
        case "busy", int():
            for key in world.server.values:
                world.server.values[key] += how
        case "reset", str():
            world.server.reset(how)
        case "restart", _:
            world.server.restart()
        case "failover", _:
            world.active = 1 - world.active
        case "hide", str():
            world.hidden ^= {how}
            # What was seen to be gone may come back as another one of that name, and nothing says so.
            for group, metric in world.server.values:
                if how in (group, metric) and how in world.missed:
                    world.server.begin(group, metric)
            world.missed -= {how}
