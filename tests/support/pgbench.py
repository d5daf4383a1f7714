"""pgbench, as it comes with the server: a load, and its own report of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from postgres_server import PostgresServer


@dataclass(frozen=True)
class Report:
    """What pgbench says it did. `seconds` is the time that its rate is about."""

    transactions: int
    a_second: float

    @property
    def seconds(self) -> float:
        return self.transactions / self.a_second


def initialise(server: PostgresServer, scale: int = 1) -> None:
    _run(server, "--initialize", "--quiet", f"--scale={scale}")


def run(server: PostgresServer, *, seconds: int, clients: int = 2, rate: int | None = None) -> Report:
    """The usual transactions, five statements each; `rate` is how many a second, as many as it can unless told."""
    limit = () if rate is None else (f"--rate={rate}",)
    text = _run(server, "--no-vacuum", "--protocol=prepared", f"--time={seconds}", f"--client={clients}", *limit)
    transactions = re.search(r"number of transactions actually processed: (\d+)", text)
    a_second = re.search(r"tps = ([\d.]+) ", text)
    assert transactions is not None, text
    assert a_second is not None, text
    return Report(int(transactions[1]), float(a_second[1]))


def _run(server: PostgresServer, *options: str) -> str:
    where = ("--host=127.0.0.1", f"--port={server.port}", "--username=postgres", server.database)
    done = subprocess.run(
        [server.programs / "pgbench", *options, *where], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
