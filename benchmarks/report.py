"""From the figures of all rounds to the table that is printed and kept."""

from __future__ import annotations

import math
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.backing_services import versions as services_versions
from benchmarks.client import Figures
from benchmarks.rows import ROWS, Figure, Row, Target
from benchmarks.servers import CACHE, SERVERS, STUDIO, Server

NOTHING = "–"
NODES_NOTE = """\
In the rows of one node with PostgreSQL and Redis, and in those of two nodes, Collab Studio stores in PostgreSQL, with
fsync. Hocuspocus has its Redis extension at its defaults and stores nothing. The clients of each room are spread evenly
over the nodes, all of which run on the server's core. PostgreSQL and Redis run on the load's, for they would have
machines of their own; what they use is a figure of its own. What has not arrived 10 s after the last edit is counted,
and its latency is infinite.

"""


@dataclass(slots=True)
class Results:
    """The figures of each row and server, one entry a round."""

    cells: dict[tuple[str, str], list[Figures]] = field(default_factory=dict)

    def add(self, row: Row, server: Server, figures: Figures) -> None:
        self.cells.setdefault((row.name, server.name), []).append(figures)

    def values(self, row: Row, server: Server, figure: Figure) -> list[float]:
        return [figures[figure.key] for figures in self.cells.get((row.name, server.name), [])]

    def median(self, row: Row, server: Server, figure: Figure) -> float | None:
        values = self.values(row, server, figure)
        return statistics.median(values) if values else None

    def ratio(self, row: Row, figure: Figure, against: Server, base: Row | None = None) -> float | None:
        """Collab Studio's median over the other's, or over the other's in the row `base`."""
        ours, theirs = self.median(row, STUDIO, figure), self.median(base or row, against, figure)
        return ours / theirs if ours is not None and theirs else None

    def found(self, row: Row, target: Target) -> float | None:
        """What the target is about; None where something was not measured."""
        if target.against:
            return self.ratio(row, target.figure, target.against, target.base)
        return self.median(row, STUDIO, target.figure)

    def disturbances(self) -> list[float]:
        """Of every measured run, the share of the cores' time that others took."""
        return [figures["others"] for cell in self.cells.values() for figures in cell]

    def servers(self) -> list[Server]:
        return [server for server in SERVERS if any(name == server.name for _, name in self.cells)]

    def rows(self) -> list[Row]:
        return [row for row in ROWS if any(name == row.name for name, _ in self.cells)]


def figures_table(results: Results) -> str:
    """The absolute figures: median (lowest to highest round)."""
    servers = results.servers()
    lines = [["load", "figure", *(server.title for server in servers)]]
    for row in results.rows():
        lines += [
            [row.title, figure.title, *(_spread(results.values(row, server, figure)) for server in servers)]
            for figure in row.figures
        ]
    return _markdown(lines)


def ratios_table(results: Results) -> str:
    """Collab Studio over each other server, and the targets."""
    others = [server for server in results.servers() if server is not STUDIO]
    lines = [["load", "figure", *(f"of {server.title}" for server in others), "to reach", "reached"]]
    for row in results.rows():
        for figure in row.figures:
            ratios = [_number(results.ratio(row, figure, server)) for server in others]
            targets = [target for target in row.targets if target.figure is figure]
            wanted = "; ".join(map(_wanted, targets)) or NOTHING
            reached = "; ".join(_answer(target, results.found(row, target)) for target in targets) or NOTHING
            lines.append([row.title, figure.title, *ratios, wanted, reached])
    return _markdown(lines)


def document(results: Results, rounds: int, quick: bool) -> str:
    """RESULTS.md."""
    form = "the short form, some loads smaller than their titles say" if quick else "the full form"
    return f"""# Results

Made by `make bench` on {datetime.now(UTC):%d %B %Y}: {form}, interleaved rounds: {rounds}. A cell is the median of its
rounds (lowest to highest). The server has one core, the load another. Each measured run follows a warm-up on the same,
freshly started server. Lower is better throughout.

Collab Studio runs as `collab-studio serve` starts it: tokens and roles checked, every update stored in SQLite with
fsync and attributed to its author. The peers run at their defaults, without authentication and without a store. No
client offers compression.

{nodes_note(results)}{disturbance(results)}

## Figures

{figures_table(results)}

## Collab Studio over the others

The Hocuspocus dialect of Collab Studio against each; 1 is equal, 0.5 is half.

{ratios_table(results)}

## Measured on

{_bullets(machine())}

## Versions

{_bullets(versions(results))}
"""


def nodes_note(results: Results) -> str:
    """How the rows of many nodes are to be read, where there are any."""
    return NODES_NOTE if any(row.nodes for row in results.rows()) else ""


def disturbance(results: Results) -> str:
    """How far the machine was quiet."""
    shares = results.disturbances()
    return (
        f"Other programs took {statistics.median(shares):.1%} of the two cores' time in the median run and "
        f"{max(shares):.1%} in the most disturbed one."
    )


def machine() -> list[str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return [
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        f"{platform.system()} {platform.release().split('-')[0]}, data on {_file_system(CACHE)}",
        f"Python {platform.python_version()}",
    ]


def versions(results: Results) -> list[str]:
    servers = [f"{server.title} {server.version()}" for server in results.servers()]
    return [*servers, services_versions()] if any(row.nodes for row in results.rows()) else servers


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that holds the folder: the longest mount point above it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(above)[1] if above else "an unknown file system"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    median = _number(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return NOTHING
    if not value or math.isinf(value):
        return "never" if value else "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _wanted(target: Target) -> str:
    if target.base:
        return f"≤ {target.at_most:g} of {target.base.title.partition(':')[0]}"
    return f"≤ {target.at_most:g}" + (f" of {target.against.title}" if target.against else "")


def _answer(target: Target, found: float | None) -> str:
    if found is None:
        return NOTHING
    answer = "yes" if found <= target.at_most else "**no**"
    # What stands in no other cell.
    return f"{answer}: {_number(found)}" if target.base else answer


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _markdown(lines: list[list[str]]) -> str:
    """A table whose source is as readable as what it renders to."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = " | ".join("-" * width for width in widths)
    return "\n".join(f"| {line} |" for line in (padded[0], rule, *padded[1:]))
