"""What a server used in a stretch of time, and what others used beside it, read from the kernel (Linux)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Probe:
    """A server's process and all it started. Readings hold what ended children used as well."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(_own_seconds(pid) + _ended_children_seconds(pid) for pid in self._processes())

    def resident_kib(self) -> int:
        """Resident memory now; what processes share counts in each."""
        return sum(_resident_kib(pid) for pid in self._processes())

    def cores(self) -> set[int]:
        """Where the server may run."""
        return os.sched_getaffinity(self._pid)

    def _processes(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in PROC.iterdir():
            if entry.name.isdigit() and (fields := _stat(int(entry.name))):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self._pid]
        for pid in found:
            found += children.get(pid, [])
        return found


@dataclass(frozen=True, slots=True)
class Usage:
    """`others` is the share of the cores' time, 0 to 1, that went to neither server nor load."""

    seconds: float
    cpu_seconds: float
    others: float


class Stretch:
    """A measured stretch: from its making to `end`.

    `others` tells whether the figures hold. A server that must wait for its core finds more to merge when its turn
    comes, so that its CPU time is disturbed as well as its latency, and to its advantage.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._cores = probe.cores() | os.sched_getaffinity(0)
        self._begun = self._read()

    def end(self) -> Usage:
        seconds, server, load, busy = (now - then for now, then in zip(self._read(), self._begun, strict=True))
        others = max(0.0, busy - server - load) / (seconds * len(self._cores))
        return Usage(seconds, server, others)

    def _read(self) -> tuple[float, float, float, float]:
        """Seconds: of the clock, used by the server, by this process, and by everybody on the cores."""
        server, busy = self._probe.cpu_seconds(), _busy_seconds(self._cores)
        return time.perf_counter(), server, time.process_time(), busy


def _busy_seconds(cores: set[int]) -> float:
    """What processes used of these cores, and what the hypervisor took from them."""
    ticks = 0
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name.removeprefix("cpu").isdigit() and int(name[3:]) in cores:
            user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(int, fields[:8])
            ticks += user + nice + system + steal
    return ticks / TICKS_A_SECOND


def _own_seconds(pid: int) -> float:
    # What clock_getcpuclockid(3) answers for a process. /proc has the same time cut to ticks of 10 ms, which would
    # be a fifth of what a cheap run takes.
    clock = (~pid << 3) | 2
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def _ended_children_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) / TICKS_A_SECOND if fields else 0.0


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: state, parent, ...; None when the process has gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _resident_kib(pid: int) -> int:
    try:
        status = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
