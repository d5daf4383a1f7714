"""All figures of a node, read where they are kept at the moment somebody asks. docs/metrics.md says what each means.

Labels have few values, always: never a workspace, a document or a user.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from sqlalchemy import QueuePool

from handlers.histogram import Histogram
from handlers.parts import Parts
from handlers.rooms import Rooms
from server.gateway import Gateway
from server.health import OK, Readiness
from server.loop_lag import LoopLag
from server.metric_families import Labels, counter, gauge, histogram
from server.release import release
from server.request_counts import RequestCounts


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is read."""

    parts: Parts
    gateway: Gateway
    http: RequestCounts
    loop_lag: LoopLag
    readiness: Readiness

    def collect(self) -> list[Metric]:
        """Everything of ours. To be called on the event loop, as what is counted there must not change meanwhile."""
        rooms = self.parts.rooms
        return [
            *_build(),
            *_readiness(self.readiness),
            *_connections(self.gateway),
            *_rooms(rooms, self.gateway),
            *_updates(rooms),
            *_log(rooms),
            *_bus(self.parts),
            *_feeds(self.parts),
            *_exports(self.parts),
            *_requests("http", self.http),
            *_requests("socket", self.gateway.observation.counts),
            *_resources(self.parts),
            histogram("studio_event_loop_lag_seconds", "How late the event loop called a timer.", self.loop_lag.late),
        ]


class Page:
    """The text of a page of figures, in the form that its reader asks for."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def write(self, families: Iterable[Metric], accept: str) -> tuple[bytes, str]:
        """The page with these families and those of the process, and its media type.

        To be called in a thread: it lists the process's open files, and text of that size takes a while.
        """
        encode, media_type = choose_encoder(accept)
        return encode(_Collected([*families, *self._registry.collect()])), media_type


class _Collected(CollectorRegistry):
    """What encoders take, over what was collected before."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _build() -> Iterator[Metric]:
    yield gauge("studio_build_info", "The version that runs.", {(release(),): 1}, ["version"])


def _readiness(readiness: Readiness) -> Iterator[Metric]:
    yield gauge("studio_ready", "Whether work should be sent to this node, as /ready says.", readiness.is_ready)
    checks: dict[Labels, float] = {(name,): float(check.status == OK) for name, check in readiness.found.items()}
    yield gauge("studio_check_ok", "Whether a check of /ready found nothing amiss.", checks, ["check"])


def _connections(gateway: Gateway) -> Iterator[Metric]:
    counts = gateway.counts
    opened, accepted = _by_name(counts.open), _by_name(counts.accepted)
    yield gauge("studio_connections_open", "WebSockets that are open.", opened, ["dialect"])
    yield counter("studio_connections_accepted_total", "WebSockets that were opened.", accepted, ["dialect"])
    refused = _by_name(counts.refused)
    yield counter("studio_connections_refused_total", "WebSocket handshakes that were refused.", refused, ["status"])
    ended = _by_name(counts.ended)
    yield counter("studio_connections_closed_total", "WebSockets that ended, by why.", ended, ["reason"])
    yield counter("studio_connections_drained_total", "WebSockets that were sent to other nodes.", gateway.drained)
    limited, alone = gateway.requests.refused, gateway.requests.counted_here
    yield counter("studio_requests_limited_total", "Requests of users who asked too much.", limited)
    yield counter("studio_requests_counted_alone_total", "Requests counted without the other nodes.", alone)


def _rooms(rooms: Rooms, gateway: Gateway) -> Iterator[Metric]:
    yield gauge("studio_rooms_open", "Documents in memory.", rooms.open_count)
    yield gauge("studio_documents_loading", "Documents that are being read.", rooms.loading_count)
    yield histogram(
        "studio_document_load_seconds", "From asking for a document until it is in memory.", rooms.loader.seconds
    )
    yield gauge("studio_members", "Places that connections have in documents.", gateway.member_count)
    held_back, caught_up = rooms.held_back_count, gateway.counts.caught_up
    yield gauge("studio_members_held_back", "Members whose connection takes nothing more now.", held_back)
    yield counter("studio_members_caught_up_total", "Times that a member was sent what it missed, merged.", caught_up)
    traffic = rooms.traffic
    yield counter("studio_presence_received_total", "Presence messages of members.", traffic.presence_received)
    yield counter("studio_presence_sent_total", "Times that a room sent gathered presence.", traffic.presence_sent)


def _updates(rooms: Rooms) -> Iterator[Metric]:
    traffic, writer = rooms.traffic, rooms.writer
    applied = writer.stored + writer.lost + writer.backlog()[0]
    yield counter("studio_updates_received_total", "Updates that members and requests sent.", traffic.received)
    yield counter("studio_updates_repeated_total", "Updates that brought nothing new.", traffic.repeated)
    refused = _by_name(traffic.refused)
    yield counter("studio_updates_refused_total", "Updates that were not taken, by why.", refused, ["reason"])
    yield counter("studio_updates_applied_total", "Updates that were taken into a document.", applied)
    yield counter("studio_updates_stored_total", "Updates that are on disk.", writer.stored)
    yield counter("studio_updates_lost_total", "Updates whose document was deleted first.", writer.lost)
    yield counter("studio_room_turns_total", "Times that what came to a room was sent on together.", traffic.turns)
    yield counter("studio_update_deliveries_total", "Members that turns were sent to.", traffic.deliveries)
    yield histogram("studio_update_fanout_seconds", "From a turn's oldest update to everybody.", traffic.fanout)
    stored = writer.latencies
    yield histogram("studio_update_stored_seconds", "From a commit's oldest update to disk.", stored)


def _log(rooms: Rooms) -> Iterator[Metric]:
    writer = rooms.writer
    waiting, oldest = writer.backlog()
    age = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1e6)
    yield gauge("studio_log_unstored_updates", "Updates that were taken and are not on disk.", waiting)
    yield gauge("studio_log_oldest_unstored_seconds", "How long the oldest of them has waited.", age)
    yield histogram("studio_log_commit_seconds", "How long a commit of the update log took.", writer.commits)
    yield counter("studio_log_commit_failures_total", "Commits that failed and were tried again.", writer.failures)


def _requests(way: str, counts: RequestCounts) -> Iterator[Metric]:
    ended: dict[Labels, float] = {(name, how, str(status)): n for (name, how, status), n in counts.ended.items()}
    labels = ["operation", "method", "status"]
    yield gauge(f"studio_{way}_requests_running", "Requests that are being answered.", counts.running)
    yield counter(f"studio_{way}_requests_total", "Requests that were answered.", ended, labels)
    durations: dict[Labels, Histogram] = {(name,): each for name, each in counts.durations.items()}
    yield histogram(f"studio_{way}_request_seconds", "From a request to the end of its answer.", durations, labels[:1])


def _resources(parts: Parts) -> Iterator[Metric]:
    running, waiting = parts.workers.jobs
    yield gauge("studio_worker_jobs_running", "Jobs in worker processes.", running)
    yield gauge("studio_worker_jobs_waiting", "Jobs that wait for a worker process.", waiting)
    pool = parts.database.engine.pool
    used, most = (pool.checkedout(), pool.size()) if isinstance(pool, QueuePool) else (0, 0)
    yield gauge("studio_database_connections_in_use", "Connections of the pool that are taken.", used)
    yield gauge("studio_database_connections_limit", "Connections that the pool has at most.", most)


def _bus(parts: Parts) -> Iterator[Metric]:
    bus, relay = parts.bus, parts.rooms.relay
    yield gauge("studio_nodes", "Nodes of the installation that this one hears, with itself.", len(parts.nodes.nodes()))
    yield gauge("studio_bus_connected", "Whether messages between nodes get through.", bus.is_connected)
    yield counter("studio_bus_messages_dropped_total", "Messages to other nodes that could not be sent.", bus.dropped)
    received, reads, read = (relay.updates_received, relay.log_reads, relay.updates_read) if relay else (0, 0, 0)
    yield counter("studio_relay_updates_received_total", "Updates that other nodes sent.", received)
    yield counter("studio_relay_log_reads_total", "Times that the log was read for what did not come.", reads)
    yield counter("studio_relay_updates_read_total", "Updates that were read there.", read)


def _feeds(parts: Parts) -> Iterator[Metric]:
    feeds = parts.feeds
    yield counter("studio_feed_reads_total", "Times that the database was read for watchers.", feeds.reading.reads)


def _exports(parts: Parts) -> Iterator[Metric]:
    figures, now = parts.exports, time.time()
    labels = ["export"]
    standing = {(str(export_id),): each for export_id, each in figures.standing.items()}
    sent: dict[Labels, float] = {(str(each),): figures.sent[each] for each in figures.standing}
    failed: dict[Labels, float] = {(str(each),): figures.failures[each] for each in figures.standing}
    yield counter("studio_exported_events_total", "Events that a SIEM took.", sent, labels)
    yield counter("studio_export_failures_total", "Attempts to send to a SIEM that failed.", failed, labels)
    waiting: dict[Labels, float] = {key: each.behind for key, each in standing.items()}
    yield gauge("studio_export_waiting_events", "Events that wait to be sent to a SIEM.", waiting, labels)
    since = {key: each.behind_since for key, each in standing.items()}
    ages: dict[Labels, float] = {key: max(0.0, now - at.timestamp()) if at else 0.0 for key, at in since.items()}
    yield gauge("studio_export_lag_seconds", "How long ago the oldest of them happened.", ages, labels)
    broken: dict[Labels, float] = {key: float(each.is_broken) for key, each in standing.items()}
    yield gauge("studio_export_chain_broken", "Whether the audit trail was not as it was written.", broken, labels)


def _by_name(counts: dict[str, int] | dict[int, int]) -> dict[Labels, float]:
    return {(str(name),): count for name, count in counts.items()}
