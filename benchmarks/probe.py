"""What servers used in a stretch of time, and what others used beside them, read from the kernel (Linux)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Probe:
    """Processes and all they started. Readings hold what ended children used as well."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(_own_seconds(pid) + _ended_children_seconds(pid) for pid in self._processes())

    def resident_kib(self) -> int:
        """Resident memory now; what processes share counts in each."""
        return sum(_resident_kib(pid) for pid in self._processes())

    def cores(self) -> set[int]:
        """Where the processes may run."""
        return {core for pid in self._pids for core in os.sched_getaffinity(pid)}

    def _processes(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in PROC.iterdir():
            if entry.name.isdigit() and (fields := _stat(int(entry.name))):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found = list(self._pids)
        for pid in found:
            found += children.get(pid, [])
        return found


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_seconds` is the server's, `services_cpu_seconds` that of what its nodes share.

    `others` is the share of the cores' time, 0 to 1, that went to none of these and not to the load.
    """

    seconds: float
    cpu_seconds: float
    services_cpu_seconds: float
    others: float


class Stretch:
    """A measured stretch: from its making to `end`.

    `others` tells whether the figures hold. A server that must wait for its core finds more to merge when its turn
    comes, so that its CPU time is disturbed as well as its latency, and to its advantage.
    """

    def __init__(self, probe: Probe, services: Probe | None = None) -> None:
        self._probe = probe
        self._services = services or Probe(())
        self._cores = probe.cores() | os.sched_getaffinity(0)
        self._begun = self._read()

    def end(self) -> Usage:
        differences = (now - then for now, then in zip(self._read(), self._begun, strict=True))
        seconds, server, services, load, busy = differences
        others = max(0.0, busy - server - services - load) / (seconds * len(self._cores))
        return Usage(seconds, server, services, others)

    def _read(self) -> tuple[float, float, float, float, float]:
        """Seconds: of the clock, used by server, services and this process, and by everybody on the cores."""
        server, services = self._probe.cpu_seconds(), self._services.cpu_seconds()
        return time.perf_counter(), server, services, time.process_time(), _busy_seconds(self._cores)


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
