"""The real server as a process of its own, to be started, killed and started again on one address."""

import asyncio
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 20.0
ADDRESS = re.compile(rb"http://[^\s]+")


class LiveServer:
    """`collab-studio serve` on a folder; the address stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: Process | None = None
        self._tokens: dict[tuple[str, str | None, str], str] = {}
        self._draining: asyncio.Task[None] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Returns when the server says that it accepts connections."""
        self._process = await self._command("serve", "--port", str(self._port), "--log-level", "warning")
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while not ADDRESS.search(line := await self._process.stdout.readline()):
                assert line, "the server ended before it accepted connections"
        self._draining = asyncio.create_task(_drain(self._process.stdout))

    async def kill(self) -> None:
        """As a crash, at once."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """As an operator does."""
        assert await self._end(signal.SIGTERM) == 0

    async def token(self, user: str, role: str | None = "editor", *, expires: str = "1h") -> str:
        """A token for a user, who becomes a member of `default` in this role, or stays what they are.

        The same question is answered once: the command takes a second.
        """
        question = (user, role, expires)
        if question not in self._tokens:
            self._tokens[question] = await self._issue(user, role, expires)
        return self._tokens[question]

    async def _issue(self, user: str, role: str | None, expires: str) -> str:
        membership = [] if role is None else ["--workspace", "default", "--role", role]
        process = await self._command("token", "--user", user, "--expires", expires, *membership)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode().strip()

    async def _command(self, command: str, *arguments: str) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", command, "--data", str(self._folder), *arguments, cwd=ROOT, stdout=PIPE
        )

    async def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        assert self._draining is not None
        self._process.send_signal(how)
        async with asyncio.timeout(STOP_SECONDS):
            code = await self._process.wait()
            await self._draining
        self._process = None
        return code

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            await self.kill()


async def _drain(stream: asyncio.StreamReader) -> None:
    """Read on, so that the server never waits for a full pipe."""
    while await stream.read(65536):
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
