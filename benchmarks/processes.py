"""Programs that listen on a port: started on a core, waited for, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cores import pinned_to

START_DEADLINE = 60.0
# One of the peers does not end at a signal while it has had rooms.
STOP_DEADLINE = 3.0
LOG_TAIL = 2_000


class ServerError(Exception):
    """A program did not start, or did not answer as it must; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """`user` is who runs it, None for whoever runs the benchmark; `stop` is the signal that ends it in order."""

    arguments: list[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop: signal.Signals = signal.SIGTERM


@contextmanager
def listening(title: str, command: Command, port: int, log: Path, core: int) -> Iterator[int]:
    """The process id of a program that takes connections, and is stopped when the block ends. Raises ServerError."""
    process = _start(command, log, core)
    try:
        _wait_until_listening(title, process, port, log)
        yield process.pid
    finally:
        _stop(process, command.stop)


def _start(command: Command, log: Path, core: int) -> subprocess.Popen[bytes]:
    # The settings of whoever runs the benchmark are not what is measured.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    with log.open("wb") as out, pinned_to(core):
        return subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env={**inherited, **command.environment},
            user=command.user,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def _wait_until_listening(title: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    reason = "ended" if process.poll() is not None else f"did not listen within {START_DEADLINE:.0f} s"
    raise ServerError(f"{title} {reason}:\n{log_tail(log)}")


def _stop(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        process.wait(STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log_tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL:].strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
