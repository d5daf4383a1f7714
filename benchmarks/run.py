"""Compare Collab Studio with its peers: `make bench`.

Starts each server on one core and loads it from another, round after round (A B C, A B C, ...), takes the median of
each cell, prints the table, and keeps that of a complete run in benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounts import Accounts, accounts
from benchmarks.backing_services import missing_packages
from benchmarks.client import Figures
from benchmarks.cores import Cores, choose_cores
from benchmarks.document import kept_state
from benchmarks.node import NodeError, install_peers
from benchmarks.processes import ServerError
from benchmarks.report import Results, disturbance, document, figures_table, ratios_table
from benchmarks.rows import ROWS, Row, servers_of
from benchmarks.servers import CACHE, ROOT, SERVERS, Running, Server, running, scratch_folder

RESULTS = Path(__file__).parent / "RESULTS.md"
# A socket each for the idle connections, and some.
OPEN_FILES = 8_192
LOAD_DEADLINE = 300
# Of the two cores' time. Beyond this share of others the figures of servers that merge are no longer theirs.
MOST_DISTURBANCE = 0.05
ATTEMPTS = 3


class LoadError(Exception):
    """A load program failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call of the program measures."""

    rows: tuple[Row, ...]
    # None: what the form has.
    servers: tuple[Server, ...] | None
    rounds: int
    quick: bool

    @property
    def complete(self) -> bool:
        return self.rows == ROWS and self.servers is None and not self.quick

    def cells(self) -> list[tuple[Row, Server]]:
        """One round's."""
        return [
            (row, server)
            for row in self.rows
            for server in self.servers or servers_of(row, self.quick)
            if server in row.servers
        ]

    @property
    def needs_services(self) -> bool:
        return any(row.nodes for row, _ in self.cells())


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and as whom the load runs."""

    cores: Cores
    # By whether they are in a database that nodes share; those that the plan needs.
    accounts: Mapping[bool, Accounts]

    def measure(self, row: Row, server: Server, quick: bool) -> Figures:
        """One cell of one round: again where others took the cores meanwhile, the least disturbed in the end."""
        attempts: list[Figures] = []
        while len(attempts) < (1 if quick else ATTEMPTS) and all(
            figures["others"] > MOST_DISTURBANCE for figures in attempts
        ):
            attempts.append(self._attempt(row, server, quick))
        return min(attempts, key=lambda figures: figures["others"])

    def _attempt(self, row: Row, server: Server, quick: bool) -> Figures:
        """On a freshly started server."""
        shared = row.nodes > 0
        with scratch_folder() as folder:
            tokens: tuple[str, ...] = ()
            if server.ours:
                self.accounts[shared].copy_into(folder)
                tokens = self.accounts[shared].tokens
            with running(server, self.cores, folder, nodes=row.nodes or 1, shared=shared) as started:
                run_load(row, (*row.load, *row.warm_up), started, tokens)
                return run_load(row, (*row.load, *(row.quick if quick else ())), started, tokens)


def run_load(row: Row, load: Sequence[str], started: Running, tokens: Sequence[str]) -> Figures:
    state = ("--state", str(kept_state(CACHE))) if row.program == "join" else ()
    command = [sys.executable, "-m", f"benchmarks.{row.program}", *target_options(started), *state, *load]
    for token in tokens:
        command += ["--token", token]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LOAD_DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"no end after {LOAD_DEADLINE} s\n{started.log_tail()}") from error
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise LoadError(f"{reason[0]}\n{started.log_tail()}")
    figures: Figures = json.loads(done.stdout)
    return figures


def target_options(started: Running) -> list[str]:
    """What tells a load program where the server is."""
    options = ["--dialect", started.server.dialect]
    for url, pid in zip(started.urls, started.pids, strict=True):
        options += ["--url", url, "--pid", str(pid)]
    for pid in started.services.pids if started.services else ():
        options += ["--service-pid", str(pid)]
    return options


def measure_all(plan: Plan, bench: Bench) -> tuple[Results, int]:
    """All rounds; the second value counts the cells that failed, which are told and left out."""
    results, failures = Results(), 0
    for number in range(1, plan.rounds + 1):
        for row, server in plan.cells():
            print(f"round {number}  {row.name:15} {server.name:17} ", end="", flush=True)
            try:
                figures = bench.measure(row, server, plan.quick)
            except (LoadError, ServerError) as error:
                failures += 1
                print(f"failed: {error}", flush=True)
                continue
            print("  ".join(f"{name} {value:g}" for name, value in figures.items()), flush=True)
            results.add(row, server, figures)
    return results, failures


def allow_open_files() -> None:
    """Raise the soft limit, for the load and for the servers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES) if hard > 0 else OPEN_FILES, hard))


def problem(plan: Plan) -> str | None:
    """What keeps the benchmark from running here."""
    missing = [name for name in ("picows", "uvloop", "pycrdt.websocket") if not importlib.util.find_spec(name)]
    if missing:
        return f"{', '.join(missing)} missing: pip install '.[bench]'"
    if plan.needs_services and (packages := missing_packages()):
        return f"the rows of many nodes need PostgreSQL and Redis: pip install {' '.join(packages)}"
    if not choose_cores():
        return "the benchmark needs Linux and two cores: one for the server, one for the load"
    return None


def read_plan(arguments: Sequence[str] | None = None) -> tuple[Plan, Path | None]:
    """The plan, and where its table is to be kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help="rounds of everything (default: 3, quick: 1)")
    parser.add_argument("--quick", action="store_true", help="shorter loads, and only what the targets compare")
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS], metavar="ROW", help="this row")
    names = [server.name for server in SERVERS]
    parser.add_argument("--server", action="append", choices=names, metavar="NAME", help="this server")
    parser.add_argument("--results", type=Path, help="keep the table here, whatever was measured")
    options = parser.parse_args(arguments)
    plan = Plan(
        rows=tuple(row for row in ROWS if not options.only or row.name in options.only),
        servers=tuple(server for server in SERVERS if server.name in options.server) if options.server else None,
        rounds=options.rounds or (1 if options.quick else 3),
        quick=options.quick,
    )
    return plan, options.results or (RESULTS if plan.complete else None)


def carry_out(plan: Plan) -> tuple[Results, int]:
    cores = choose_cores()
    assert cores
    allow_open_files()
    chosen = [server for _, server in plan.cells()]
    if any(server.needs_node for server in chosen):
        install_peers()
    kept_state(CACHE)
    os.sched_setaffinity(0, {cores.load})
    with ExitStack() as stack:
        kinds = {row.nodes > 0 for row, server in plan.cells() if server.ours}
        users = {shared: stack.enter_context(accounts(cores, shared=shared)) for shared in kinds}
        return measure_all(plan, Bench(cores, users))


def main() -> int:
    plan, kept = read_plan()
    if found := problem(plan):
        print(f"error: {found}", file=sys.stderr)
        return 2
    try:
        results, failures = carry_out(plan)
    except (NodeError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"\n{figures_table(results)}\n\n{ratios_table(results)}")
    if results.cells:
        print(f"\n{disturbance(results)}")
    if plan.quick:
        print("\nThe short form: some loads are smaller than their titles say.")
    if kept and not failures:
        kept.write_text(document(results, plan.rounds, plan.quick))
        print(f"\nkept in {kept}")
    return 1 if failures else 0
