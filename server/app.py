"""The composition root: which parts there are, how they find each other, and in which order they start and stop."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from analysis.advisories.signing import read_key
from crdt.awareness import Awareness
from handlers.access import Access
from handlers.audit_trail import AuditTrail
from handlers.catalogue import JOBS, OPERATIONS, services
from handlers.changes import Changes
from handlers.durable_runs import DurableRuns
from handlers.live_feeds import LiveFeeds
from handlers.parts import BackupOptions, Limits, Parts
from handlers.performance.own_figures import keep_own_figures
from handlers.registry import Principal
from handlers.rooms import Rooms
from handlers.source_connections import SourceConnections
from handlers.spans import no_span
from handlers.workers import Workers
from server import logs
from server.asgi_socket import websocket_routes
from server.auth import Authenticator
from server.drain import REQUESTS, close_audit, store_everything
from server.gateway import Gateway
from server.http import build_routes, utc_now
from server.instruments import Instruments
from server.limits import ConnectionLimit
from server.lockouts import open_lockouts
from server.openid.routes import openid_routes
from server.outgoing import open_outgoing
from server.problems import EXCEPTION_HANDLERS
from server.push_routes import push_routes
from server.request_limit import open_request_limit
from server.security_headers import SecurityHeaders
from server.settings import Settings
from server.sign_ins import SignIns
from server.stream_routes import stream_routes
from server.this_node import Load, ThisNode, open_node_bus
from server.tracing import open_tracing
from server.visitors import visitor_of
from storage.bus.channels import Bus
from storage.bus.directory import NodeDirectory
from storage.database import Database
from storage.samples.policy import Policy
from storage.samples.store import SampleStore
from storage.sealing import open_sealer
from storage.update_log import open_update_log

if TYPE_CHECKING:
    from server.open_telemetry import Tracing

logger = logging.getLogger(__name__)

Service = Callable[[Parts], Coroutine[Any, Any, None]]
# By these a caller finds its request again in our log and among our spans.
CALLERS_HEADERS = ("x-request-id", "traceparent", "tracestate")
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
async def running(
    settings: Settings,
    database: Database,
    signing_secret: str,
    tracing: "Tracing | None" = None,
    bus: Bus | None = None,
    port: int | None = None,
) -> AsyncIterator[Studio]:
    """A node over a migrated database. Leaving the block refuses, says goodbye, stores everything, and stops.

    Spans go where the settings say, or to `tracing`, and messages to other nodes over the settings' Redis, or `bus`.
    `port` is the one it is reached at, where the settings leave it open.
    Raises StartError.
    """
    has_others = bus is not None or settings.redis_url is not None
    bus = bus or await open_node_bus(settings, database, new_node_id())
    logs.name_node(bus.node_id)
    tracing = tracing or open_tracing(settings, bus.node_id)
    workers = Workers(settings.worker_processes)
    access = Access(database, bus)
    await access.begin()
    audit = AuditTrail(database, utc_now)
    rooms = _make_rooms(settings, database, workers, bus if has_others else None, tracing)
    feeds = LiveFeeds(database, bus, access, utc_now)
    changes = Changes(bus)
    feeds.on_committed(changes.committed)
    this_node = ThisNode(
        bus.node_id,
        settings,
        port,
        utc_now(),
        lambda: Load(gateway.counts.open.total(), rooms.open_count, gateway.draining),
    )
    nodes = NodeDirectory(bus, this_node.describe, utc_now)
    nodes.on_node_lost(rooms.lose_node)
    sealer = await open_sealer(database, settings.credentials_key)
    sources = SourceConnections(database, sealer, roots=settings.source_folders)
    runs = DurableRuns(
        database, bus, JOBS, utc_now, folder=settings.data, takeover_seconds=settings.runs_takeover_seconds
    )
    outgoing = open_outgoing(settings)
    parts = Parts(
        database,
        rooms,
        access,
        audit,
        workers,
        bus,
        feeds,
        nodes,
        sources,
        runs,
        SampleStore(database, utc_now, _sample_policy(settings)),
        _limits(settings),
        outgoing,
        backups=BackupOptions(settings.postgres_tools, settings.backups_kept),
        changes=changes,
        advisory_keys=tuple(map(read_key, settings.advisory_keys)),
    )
    lockouts = await open_lockouts(settings, database, audit, bus)
    authenticator = Authenticator(database, access, signing_secret, utc_now, lockouts)
    gateway = Gateway(settings, parts, authenticator, OPERATIONS, tracing, await open_request_limit(settings, database))
    instruments = Instruments(settings, parts, gateway, tracing)
    sign_in = openid_routes(settings, parts, authenticator, signing_secret, utc_now)
    app = create_app(settings, parts, authenticator, gateway, instruments, sign_in)
    studio = Studio(app, gateway, parts, workers)
    async with instruments.listening(), asyncio.TaskGroup() as group:
        essential = [
            group.create_task(bus.run(), name="bus"),
            group.create_task(rooms.run(), name="rooms"),
            group.create_task(gateway.run(), name="gateway"),
        ]
        instruments.readiness.essential = essential
        process_name = name_of_process(settings, port)
        own_services: tuple[Service, ...] = (
            lambda _: audit.run(),
            lambda _: instruments.loop_lag.run(),
            lambda _: gateway.answers.run(),
            *([lambda each: keep_own_figures(each, instruments.collect, process_name)] if settings.metrics_own else []),
        )
        beside = [group.create_task(keep_running(work, parts)) for work in (*own_services, *services())]
        try:
            yield studio
        finally:
            await asyncio.gather(gateway.close(), runs.close(gateway.departure.left(REQUESTS)))
            await store_everything(rooms, gateway.departure)
            # The last commits are told to others, too.
            nodes.leave()
            changes.close()
            await asyncio.gather(lockouts.close(), bus.close())
            for task in (*essential, *beside):
                task.cancel()
            await parts.computations.close()
            await asyncio.gather(sources.close(), parts.readers.close())
            await close_audit(audit, gateway.departure)
            await workers.close()
            await instruments.close()


def _make_rooms(
    settings: Settings, database: Database, workers: Workers, bus: Bus | None, tracing: "Tracing | None"
) -> Rooms:
    return Rooms(
        database,
        open_update_log(database),
        workers,
        commit_interval=settings.commit_interval,
        idle_seconds=settings.room_idle_seconds,
        awareness=lambda: Awareness(settings.awareness_removal_delay, settings.awareness_timeout),
        presence_interval=settings.awareness_interval_ms / 1000,
        bus=bus,
        span=tracing.span if tracing else no_span,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        body_bytes=settings.max_request_bytes,
        document_bytes=settings.max_document_bytes,
        ticket_seconds=int(settings.ticket_lifetime),
        feed_age=settings.feed_retention_age,
        feed_events=settings.feed_retention_count,
        dangling_edge_seconds=settings.dangling_edge_grace,
    )


def _sample_policy(settings: Settings) -> Policy:
    return Policy(
        raw_age=settings.metrics_raw_age,
        minute_age=settings.metrics_minute_age,
        quarter_age=settings.metrics_quarter_age,
        six_hour_age=settings.metrics_six_hour_age,
        series_of_source=settings.metrics_series_per_source,
    )


def new_node_id() -> str:
    """Whose messages are whose: a process that starts again is another node."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def name_of_process(settings: Settings, port: int | None) -> str:
    """What a process is called in measurements, the same after each start."""
    place = f"{socket.gethostname()}:{settings.port if port is None else port}"
    return f"{place}#{settings.worker_index}" if settings.workers > 1 else place


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


def create_app(
    settings: Settings,
    parts: Parts,
    authenticator: Authenticator,
    gateway: Gateway,
    instruments: Instruments,
    sign_in: Sequence[Route] = (),
) -> ASGIApp:
    """The HTTP application: the operations' routes, those of a sign-in, and the server's own pages."""

    sign_ins = SignIns(parts.audit, utc_now)

    async def authenticate(request: Request) -> Principal | None:
        visitor = visitor_of(request)
        principal = await authenticator.authenticate_headers(request.headers, visitor)
        if principal is not None:
            sign_ins.note(principal, visitor)
        return principal

    middleware = []
    if settings.allowed_origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["*"],
            allow_headers=["authorization", "content-type", "accept", "last-event-id", *CALLERS_HEADERS],
            expose_headers=["x-request-id", "retry-after", "ratelimit", "ratelimit-policy"],
        )
        middleware.append(cors)
    pages = instruments.routes(authenticate)
    routes = [
        # First: the stream of `/results` would else be taken for the result of that name in `/results/{id}`.
        *stream_routes(parts, authenticator, gateway, ConnectionLimit(settings.max_connections_per_user)),
        # These take push keys, which are nobody's, and the operation of the same address does not.
        *push_routes(parts, authenticator, gateway.requests, utc_now),
        *build_routes(OPERATIONS, parts, authenticate, requests=gateway.requests),
        *sign_in,
        *pages,
        *websocket_routes(gateway),
    ]
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    return instruments.around(SecurityHeaders(app, settings))
