"""Start, kill and restart `collab-studio serve` as its users do."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
# What is printed once connections are accepted, whatever is logged.
GREETING = b"Collaboration Studio at "


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports() -> tuple[int, int]:
    """Two that follow each other, as two processes of a server take them."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", first + 1))
            return first, first + 1


class ServerProcess:
    """One node. The port stays the same over restarts, so that clients find it again."""

    def __init__(self, folder: Path, *flags: str, shared: Sequence[str] = ()) -> None:
        """`flags` are for serving; `shared` ones say where the data is, and are for every command."""
        self.folder = folder
        self.port = free_port()
        self.shared = ("--data", str(folder / "data"), *shared)
        self.flags = flags
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when the server accepts connections."""
        command = [sys.executable, "-m", "server.cli", "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            said_before = log.tell()
            self._process = subprocess.Popen(
                [*command, *self.shared, *self.flags],
                cwd=ROOT,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # Not from the port: it is bound long before, and if another program has it, that answers.
            if GREETING in self.log.read_bytes()[said_before:]:
                return
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise TimeoutError(self.log.read_text())

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as a supervisor does it; the exit code."""
        return self._end(signal.SIGTERM)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, and do not wait for what comes of it."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        """The exit code, once it has ended."""
        process, self._process = self._process, None
        assert process is not None
        return process.wait(timeout=seconds)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(timeout=30)

    def token(self, user: str, role: str = "editor", workspace: str = "default") -> str:
        """A token as `collab-studio token` prints it, also while the server runs."""
        grant = ["--workspace", workspace, "--role", role] if role else []
        command = [sys.executable, "-m", "server.cli", "token", "--user", user, *grant]
        printed = subprocess.run(
            [*command, *self.shared],
            cwd=ROOT,
            env=self._environment(),
            check=True,
            capture_output=True,
            timeout=60,
        )
        return printed.stdout.decode().strip()

    @staticmethod
    def _environment() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
