"""The parts every handler works with, put together once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.changes import Changes
from handlers.computations import Computations
from handlers.export_figures import ExportFigures
from handlers.language_model import LanguageModel
from handlers.metric_tails import MetricTails
from handlers.outgoing import OutgoingHttp
from handlers.outgoing_mail import OutgoingMail
from handlers.prometheus_store import PrometheusStore
from handlers.source_readers import SourceReaders
from handlers.workers import Workers

__all__ = ["BackupOptions", "Limits", "Outgoing", "Parts", "Workers"]

if TYPE_CHECKING:
    from handlers.access import Access
    from handlers.audit_trail import AuditTrail
    from handlers.durable_runs import DurableRuns
    from handlers.live_feeds import LiveFeeds
    from handlers.rooms import Rooms
    from handlers.source_connections import SourceConnections
    from storage.bus.channels import Bus
    from storage.bus.directory import NodeDirectory
    from storage.database import Database
    from storage.samples.store import SampleStore


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may ask for. Bytes unless said otherwise."""

    # A whole document may come in one PUT; more than this is a file, not an edit.
    body_bytes: int = 16 * 1024 * 1024
    document_bytes: int = 64 * 1024 * 1024
    # Enough for a screen of anything; one batch must not become a way around rate limits.
    batch_items: int = 100
    # SQLite serves readers from a small pool; more at once only queue there.
    batch_concurrency: int = 8
    api_keys_per_user: int = 100
    # Long enough to open a socket after asking, short enough to be worthless in a log file.
    ticket_seconds: int = 30
    # How long feeds hold an event, in seconds, and how many each.
    feed_age: float = 30 * 86400.0
    feed_events: int = 10_000
    # How long edges that lead nowhere stay in a diagram, in seconds: undoing what left them brings them back.
    dangling_edge_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """How backups of sources are made: `postgres_tools` is the folder of pg_dump, None for the path."""

    postgres_tools: Path | None = None
    # A week of nightly ones.
    kept: int = 7


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What reaches other machines: public addresses only, no mail, no language model, unless the operator allows."""

    http: OutgoingHttp = field(default_factory=OutgoingHttp)
    mail: OutgoingMail = field(default_factory=OutgoingMail)
    language_model: LanguageModel | None = None
    # The address people use, for links in messages; None where the operator named none.
    public_url: str | None = None
    # Where measurements are read from, if not from the database.
    metrics_store: PrometheusStore | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What outlives a request: passed in, never imported."""

    database: Database
    rooms: Rooms
    access: Access
    audit: AuditTrail
    workers: Workers
    bus: Bus
    feeds: LiveFeeds
    nodes: NodeDirectory
    sources: SourceConnections
    runs: DurableRuns
    samples: SampleStore
    limits: Limits = field(default_factory=Limits)
    outgoing: Outgoing = field(default_factory=Outgoing)
    readers: SourceReaders = field(default_factory=SourceReaders)
    backups: BackupOptions = field(default_factory=BackupOptions)
    changes: Changes = field(default_factory=Changes)
    computations: Computations = field(default_factory=Computations)
    tails: MetricTails = field(default_factory=MetricTails)
    exports: ExportFigures = field(default_factory=ExportFigures)
    # Public keys whose bundles of advisories are taken, beside the release's own.
    advisory_keys: tuple[bytes, ...] = ()
