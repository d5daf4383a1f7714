"""`collab-studio serve`: from settings to a listening server, and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, cast

import uvicorn
import uvloop
from uvicorn.config import HTTPProtocolType, WSProtocolType

from server import logs, metrics_port, startup, tracing
from server.app import Studio, running
from server.bootstrap import FIRST_USER, FIRST_WORKSPACE, prepare_first_use, signing_secret
from server.http import utc_now
from server.listening import Server
from server.settings import Settings
from server.signing_in import CONSOLE, open_session
from server.supervisor import READY, Supervisor
from server.tokens import ServerIssuer
from storage.database import Database

logger = logging.getLogger(__name__)

# What jobs for workers live in.
WORKER_MODULES = ("handlers.large_updates", "handlers.collaboration.replays")


def serve(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until a signal says stop; the exit code. `announce` is given the lines for the operator once connections
    are accepted. Raises StartError where the server cannot start.
    """
    logs.configure(settings.log_level, as_json=settings.log_json)
    startup.allow_open_files()
    startup.share_heaps()
    for problem in (*tracing.find_problems(settings), *metrics_port.find_problems(settings)):
        raise startup.StartError(problem)
    # The address first: it is what is most often taken, and nothing has been opened yet.
    listeners = startup.bind_for_each(settings, settings.workers)
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(contextlib.closing(listener))
        if settings.workers > 1:
            return asyncio.run(_supervise(settings, listeners, announce))
        stack.enter_context(startup.only_server(settings))
        return _run(_serve(settings, listeners[0], announce))


def serve_as_worker(settings: Settings, listener: socket.socket, lifeline: Connection) -> int:
    """One of several processes over a database that is ready, under a supervisor; the exit code.

    Says on the lifeline that it accepts connections. When that ends it has been replaced, or its supervisor is gone.
    """
    # Signals of a terminal, or of whoever stops a whole group, are for the supervisor; it passes them on.
    os.setpgid(0, 0)
    startup.share_heaps()
    logs.configure(settings.log_level, as_json=settings.log_json, worker=settings.worker_index)
    try:
        return _run(_serve_beside_others(settings, listener, lifeline))
    except startup.StartError as error:
        logger.error("%s", error)  # noqa: TRY400 - it is a line for the operator
        return 1


def _run(serving: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serving)


async def _serve(settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> int:
    async with contextlib.AsyncExitStack() as stack:
        database = await startup.open_database(settings)
        stack.push_async_callback(database.close)
        secret, first_token = await _prepare(settings, database)
        greeting = _greeting(settings, listener, first_token)
        return await _serve_over(settings, database, secret, listener, lambda _: announce(greeting))


async def _serve_beside_others(settings: Settings, listener: socket.socket, lifeline: Connection) -> int:
    loop = asyncio.get_running_loop()

    def started(server: Server) -> None:
        lifeline.send_bytes(READY)
        loop.add_reader(lifeline.fileno(), ended, server)

    def ended(server: Server) -> None:
        loop.remove_reader(lifeline.fileno())
        server.give_way()

    async with contextlib.AsyncExitStack() as stack:
        database = await startup.open_database(settings, migrate=False)
        stack.push_async_callback(database.close)
        secret = await signing_secret(database, settings.secret_key)
        return await _serve_over(settings, database, secret, listener, started, hurries=False)


async def _supervise(settings: Settings, listeners: list[socket.socket], announce: Callable[[str], None]) -> int:
    database = await startup.open_database(settings)
    try:
        _, first_token = await _prepare(settings, database)
    finally:
        await database.close()
    greeting = _greeting(settings, listeners[0], first_token)
    return await Supervisor(serve_as_worker, settings, listeners, lambda: announce(greeting)).run()


async def _prepare(settings: Settings, database: Database) -> tuple[str, str | None]:
    """The secret that signs tokens, and a first token where nobody has used this database before."""
    is_first = await prepare_first_use(database, utc_now())
    secret = await signing_secret(database, settings.secret_key)
    if not is_first:
        return secret, None
    issuer, lifetime = ServerIssuer(secret, utc_now), timedelta(seconds=settings.token_lifetime)
    async with database.write() as connection:
        return secret, await open_session(connection, issuer, FIRST_USER, lifetime, utc_now(), opened_by=CONSOLE)


async def _serve_over(
    settings: Settings,
    database: Database,
    secret: str,
    listener: socket.socket,
    started: Callable[[Server], None],
    *,
    hurries: bool = True,
) -> int:
    async with running(settings, database, secret, port=listener.getsockname()[1]) as studio:
        warming = studio.gateway.spawn(studio.workers.warm(*WORKER_MODULES))
        await Server(_configuration(settings, studio), studio.gateway, started, hurries=hurries).serve([listener])
        # A process that gets ready for work that will not come holds nobody up.
        warming.cancel()
    return studio.gateway.departure.exit_code


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
    )


def _greeting(settings: Settings, listener: socket.socket, first_token: str | None) -> str:
    lines = [f"Collaboration Studio at {startup.address_of(settings, listener)}"]
    if first_token is not None:
        lines += [
            f"First start: made the workspace {FIRST_WORKSPACE!r} and the user {FIRST_USER!r}, a server administrator.",
            f"A sign-in token for {FIRST_USER}, good for {settings.shown('token_lifetime')}; "
            f"`collab-studio token --user {FIRST_USER}` prints another:",
            first_token,
        ]
    return "\n".join(lines)
