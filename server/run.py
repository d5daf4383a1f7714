"""`collab-studio serve`: from settings to a listening server, and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import FrameType
from typing import cast

import uvicorn
import uvloop
from uvicorn.config import HTTPProtocolType, WSProtocolType
from uvicorn.server import HANDLED_SIGNALS

from server import logs, startup
from server.app import Studio, running
from server.bootstrap import FIRST_USER, FIRST_WORKSPACE, prepare_first_use, signing_secret
from server.http import utc_now
from server.settings import Settings
from server.tokens import ServerIssuer

logger = logging.getLogger(__name__)

# What jobs for workers live in.
WORKER_MODULES = ("handlers.large_updates", "handlers.collaboration.replays")


def serve(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until a signal says stop; the exit code. `announce` is given the lines for the operator once connections
    are accepted. Raises StartError where the server cannot start.
    """
    logs.configure(settings.log_level, as_json=settings.log_json)
    # The address first: it is what is most often taken, and nothing has been opened yet.
    with (
        contextlib.closing(startup.bind(settings)) as listener,
        startup.only_server(settings),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, listener, announce))
    return 0


async def _serve(settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        database = await startup.open_database(settings)
        stack.push_async_callback(database.close)
        if settings.redis_url is not None:
            logger.warning("redis_url is not used yet: one server serves one database, and needs no bus")
        is_first = await prepare_first_use(database, utc_now())
        secret = await signing_secret(database, settings.secret_key)
        studio = await stack.enter_async_context(running(settings, database, secret))
        studio.gateway.spawn(studio.workers.warm(*WORKER_MODULES))
        greeting = _greeting(settings, listener, secret if is_first else None)
        await Server(_configuration(settings, studio), lambda: announce(greeting)).serve([listener])


class Server(uvicorn.Server):
    """Says when it accepts connections, and takes a signal to stop as a wish that was fulfilled, not as its death."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            logger.info("accepting connections")
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("stopping")
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._stop) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


def _configuration(settings: Settings, studio: Studio) -> uvicorn.Config:
    return uvicorn.Config(
        studio.app,
        # uvicorn only calls these, as it would call the classes of protocols.
        http=cast(HTTPProtocolType, studio.gateway.front_door),
        ws=cast(WSProtocolType, studio.gateway.websocket),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=startup.BACKLOG,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout)),
    )


def _greeting(settings: Settings, listener: socket.socket, first_secret: str | None) -> str:
    lines = [f"Collaboration Studio at {startup.address_of(settings, listener)}"]
    if first_secret is not None:
        lines += [
            f"First start: made the workspace {FIRST_WORKSPACE!r} and the user {FIRST_USER!r}, a server administrator.",
            f"A sign-in token for {FIRST_USER}, good for {settings.shown('token_lifetime')}; "
            f"`collab-studio token --user {FIRST_USER}` prints another:",
            ServerIssuer(first_secret, utc_now).issue(FIRST_USER, timedelta(seconds=settings.token_lifetime)),
        ]
    return "\n".join(lines)
