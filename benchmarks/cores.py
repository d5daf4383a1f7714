"""One core for the server, one for the load: neither takes the other's time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Numbers of the two cores."""

    server: int
    load: int

    @property
    def services(self) -> int:
        """Where PostgreSQL and Redis run: beside the load, for they would have machines of their own.

        On the server's core they would make the nodes wait for it. These then merge more, so that their CPU time per
        edit would be too low.
        """
        return self.load


def choose_cores() -> Cores | None:
    """The first two cores that this process may use; None where there are fewer, or the system cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return Cores(*usable[:2]) if len(usable) > 1 else None


@contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on one core; children stay there for good."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
