"""The composition root: which parts there are, how they find each other, and in which order they start and stop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from crdt.awareness import Awareness
from handlers.access import Access
from handlers.audit_trail import AuditTrail
from handlers.catalogue import OPERATIONS, services
from handlers.parts import Limits, Parts
from handlers.registry import Principal
from handlers.rooms import Rooms
from handlers.workers import Workers
from server.asgi_socket import websocket_routes
from server.auth import Authenticator
from server.gateway import Gateway
from server.health import health_routes
from server.http import build_routes, utc_now
from server.problems import EXCEPTION_HANDLERS
from server.settings import Settings
from storage.database import Database
from storage.update_log import open_update_log

logger = logging.getLogger(__name__)

Service = Callable[[Parts], Coroutine[Any, Any, None]]
FIRST_RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Studio:
    """A running node: the HTTP application, the WebSocket gateway, and the parts under both."""

    app: ASGIApp
    gateway: Gateway
    parts: Parts
    workers: Workers


@contextlib.asynccontextmanager
async def running(settings: Settings, database: Database, signing_secret: str) -> AsyncIterator[Studio]:
    """A node over a migrated database. Leaving the block refuses, says goodbye, stores everything, and stops."""
    workers = Workers(settings.worker_processes)
    access = Access(database)
    audit = AuditTrail(database, utc_now)
    rooms = Rooms(
        database,
        open_update_log(database),
        workers,
        commit_interval=settings.commit_interval_ms / 1000,
        idle_seconds=settings.room_idle_seconds,
        awareness=lambda: Awareness(settings.awareness_removal_delay, settings.awareness_timeout),
        presence_interval=settings.awareness_interval_ms / 1000,
    )
    limits = Limits(
        body_bytes=settings.max_request_bytes,
        document_bytes=settings.max_document_bytes,
        ticket_seconds=int(settings.ticket_lifetime),
    )
    parts = Parts(database, rooms, access, audit, workers, limits)
    authenticator = Authenticator(database, access, signing_secret, utc_now)
    gateway = Gateway(settings, parts, authenticator, OPERATIONS)
    studio = Studio(create_app(settings, parts, authenticator, gateway), gateway, parts, workers)
    async with asyncio.TaskGroup() as group:
        essential = [group.create_task(rooms.run()), group.create_task(gateway.run())]
        beside = [group.create_task(keep_running(work, parts)) for work in (lambda _: audit.run(), *services())]
        try:
            yield studio
        finally:
            await gateway.close()
            try:
                async with asyncio.timeout(settings.shutdown_timeout):
                    await rooms.close()
            except TimeoutError:
                # Nothing more to do, and no trace that would say more than this.
                logger.error(  # noqa: TRY400
                    "the server stops with updates that could not be stored; nobody was told that they are"
                )
            for task in (*essential, *beside):
                task.cancel()
            await audit.close()
            await workers.close()


async def keep_running(service: Service, parts: Parts) -> None:
    """Run a service until cancelled; one that fails is started again, later each time, and never takes others along."""
    pause = FIRST_RESTART_SECONDS
    while True:
        started = time.monotonic()
        try:
            await service(parts)
        except Exception:
            logger.exception("a service failed and starts again")
        if time.monotonic() - started > LONGEST_RESTART_SECONDS:
            pause = FIRST_RESTART_SECONDS
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_RESTART_SECONDS)


def create_app(settings: Settings, parts: Parts, authenticator: Authenticator, gateway: Gateway) -> ASGIApp:
    """The HTTP application: the operations' routes and the server's own pages."""

    async def authenticate(headers: Mapping[str, str]) -> Principal | None:
        return await authenticator.authenticate_headers(headers)

    middleware = []
    if settings.allowed_origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["*"],
            allow_headers=["authorization", "content-type", "accept"],
            expose_headers=["x-request-id"],
        )
        middleware.append(cors)
    routes = [*build_routes(OPERATIONS, parts, authenticate), *health_routes(parts), *websocket_routes(gateway)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
