"""A listener of its own for machines that watch: `/metrics`, `/health` and `/ready` without a credential.

Each worker process has one, on the port of the setting and those after it: a port that processes share would show
another one's figures each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from server.settings import Settings
from server.startup import StartError


def find_problems(settings: Settings) -> list[str]:
    """What would keep the listeners from being there, changing nothing."""
    try:
        for index in range(settings.workers if settings.metrics_port is not None else 0):
            bind(settings, index).close()
    except StartError as error:
        return [str(error)]
    return []


def bind(settings: Settings, index: int) -> socket.socket:
    """A socket that listens where the worker with this index shows its figures. Raises StartError."""
    assert settings.metrics_port is not None
    host, port = settings.metrics_host, settings.metrics_port + index
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # A worker that replaces another is there before that one has left.
        listener = socket.create_server((host, port), family=family, reuse_port=settings.workers > 1)
    except (OSError, UnicodeError) as error:
        why = (error.strerror or "").partition(" (")[0] if isinstance(error, OSError) else "not a host name"
        raise StartError(
            f"cannot serve metrics on {host}:{port}: {why}; choose others with --metrics-host and --metrics-port"
        ) from None
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def listening(settings: Settings, app: ASGIApp) -> AsyncIterator[None]:
    """Serves the application there until the block ends, where the settings want it. Raises StartError."""
    if settings.metrics_port is None:
        yield
        return
    listener = bind(settings, settings.worker_index)
    server = _Beside(
        uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False, ws="none")
    )
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await serving


class _Beside(uvicorn.Server):
    """Signals are for the server of people; this one ends with it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
