"""What an operator may set. The only place that reads the environment.

Each field of `Settings` is a flag `--max-frame-bytes` and a variable `STUDIO_MAX_FRAME_BYTES`; a flag wins over
the variable, the variable over the default. `read_settings` collects every problem before it says anything, so that
one run of `collab-studio check` shows them all.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from server import setting_values as read
from server.openid import setting_values as read_openid
from server.setting_values import BadValueError, setting

PREFIX = "STUDIO_"
MIB = 1024 * 1024
# Each form of metrics is kept at least as long as the finer ones that it is made from.
METRIC_AGES = ("metrics_raw_age", "metrics_minute_age", "metrics_quarter_age", "metrics_six_hour_age")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Frozen: what was read at the start holds until the process ends. Lengths of time are seconds unless named ms."""

    # Loopback: nobody else reaches a server that its operator has not yet thought about.
    host: str = setting(read.text, "127.0.0.1", "address to listen on; 0.0.0.0 or :: for every interface")
    # Unprivileged, and not the default of any database, proxy or web framework commonly run beside it. 0 picks one.
    port: int = setting(read.number(0, 65535), 8400, "port to listen on; 0 takes a free one")
    data: Path = setting(read.folder, Path("data"), "folder for the embedded database")  # noqa: RUF009 - a Path is immutable
    database_url: str = setting(
        read.database_url, "", "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME (default: a file in data)"
    )
    redis_url: str | None = setting(read.redis_url, None, "redis://HOST:PORT/0, the bus between nodes (default: none)")
    # An event loop is one core. More than some dozens on one machine only share its memory bandwidth.
    workers: int = setting(read.number(1, 64), 1, "processes that serve; more than one need PostgreSQL and Redis")
    secret_key: str | None = setting(
        read.secret, None, "key that signs tokens (default: generated and kept in the database)", secret=True
    )
    credentials_key: str | None = setting(
        read.secret,
        None,
        "key that encrypts the passwords of data sources (default: generated and kept in the database)",
        secret=True,
    )
    # None: a path is as good as a shell to look into files with, so only server administrators may name one.
    source_folders: tuple[Path, ...] | None = setting(
        read.folders,
        None,
        "folders that file sources must lie in, comma-separated (default: any, for server administrators only)",
    )
    # None: what is installed beside the server is most often of the same release.
    postgres_tools: Path | None = setting(  # noqa: RUF009 - a Path is immutable
        read.folder, None, "folder of pg_dump and pg_restore, for backups of sources (default: on the path)"
    )
    # A week of nightly ones.
    backups_kept: int = setting(read.number(1, 1000), 7, "backups that are kept of each data source")
    # Empty: who may name an address must not reach with it what the server can reach, and they cannot.
    outgoing_hosts: tuple[str, ...] = setting(
        read.hosts,
        (),
        "hosts, addresses and networks that integrations may send to though they are not public, comma-separated",
    )
    # Empty: the one that a release came with and those of later releases are signed with its own.
    advisory_keys: tuple[str, ...] = setting(
        read.advisory_keys,
        (),
        "public keys in base64 whose bundles of security advisories are taken, comma-separated (default: our own)",
    )
    smtp_url: str | None = setting(
        read.smtp_url, None, "mail server, smtp://USER:PASSWORD@HOST:587 or smtps://… (default: none, no mail)"
    )
    mail_from: str | None = setting(read.mail_address, None, "address that mail is from; needed with smtp_url")
    # None: what is in a workspace leaves the server only where its operator says so.
    language_model_url: str | None = setting(
        read.web_address,
        None,
        "API as OpenAI's that rephrases insights when asked, such as https://models.example.org/v1 (default: none)",
    )
    language_model_model: str | None = setting(
        read.text, None, "name of the model there; needed with language_model_url"
    )
    language_model_key: str | None = setting(read.text, None, "key that it asks for", secret=True)
    # None: samples are in the database, where nothing else is needed.
    metrics_store_url: str | None = setting(
        read.web_address,
        None,
        "store with the API of Prometheus that measurements are read from, before /api/v1 (default: the database)",
    )
    metrics_store_token: str | None = setting(read.text, None, "bearer token that it asks for", secret=True)
    allowed_origins: tuple[str, ...] = setting(
        read.origins, (), "web origins that may connect besides the server's own, comma-separated"
    )
    public_url: str | None = setting(read.public_url, None, "address people use, when a proxy stands in front")
    # Empty: only a proxy that the operator named may say who the client is.
    trusted_proxies: tuple[str, ...] = setting(
        read.networks, (), "addresses or networks of proxies whose X-Forwarded-* headers are believed"
    )

    # None: people come with tokens that this server's operator gave them.
    oidc_issuer: str | None = setting(
        read_openid.issuer, None, "OpenID Connect provider that people sign in at, as it names itself (default: none)"
    )
    oidc_client_id: str | None = setting(read.text, None, "this server's name there; needed with oidc_issuer")
    oidc_client_secret: str | None = setting(
        read.text, None, "this server's secret there (default: none, a public client)", secret=True
    )
    # What most providers need to be asked for to tell a name and an address.
    oidc_scopes: str = setting(read_openid.scopes, "openid email profile", "scopes that are asked for, between blanks")
    oidc_groups_claim: str = setting(
        read.text, "groups", "claim of ID tokens that lists groups; within others as realm_access.roles"
    )
    # Empty: at a public provider everybody has an account, so the operator says whose counts.
    oidc_allowed_domains: tuple[str, ...] = setting(
        read_openid.domains, (), "domains of verified e-mail addresses that may come in, comma-separated; * for all"
    )
    oidc_allowed_groups: tuple[str, ...] = setting(
        read_openid.groups_or_all,
        (),
        "groups that may come in, comma-separated; * for all; with domains, both are asked for",
    )
    oidc_admin_groups: tuple[str, ...] = setting(
        read_openid.groups, (), "groups whose members administer this server, comma-separated"
    )
    oidc_roles: tuple[tuple[str, str, str], ...] = setting(
        read_openid.roles, (), "roles that groups give, comma-separated, each as group=workspace:role"
    )

    # The largest thing an editor sends at once is what it wrote while offline, and all its typing of a week is well
    # under 1 MiB. A frame costs the event loop up to 100 ms a MiB, so one frame never holds it for half a second.
    max_frame_bytes: int = setting(read.size(64 * 1024), 4 * MIB, "largest WebSocket frame taken")
    # In memory a document takes about ten times its encoded size, and every joiner is sent all of it.
    max_document_bytes: int = setting(read.size(64 * 1024), 32 * MIB, "largest document, encoded")
    # A whole text may come in one PUT, and JSON may double it by escapes; more is a file, not an edit.
    max_request_bytes: int = setting(read.size(64 * 1024), 16 * MIB, "largest HTTP request body")
    # What one slow reader may keep waiting in our memory: the state of a document of the largest size, and a while of
    # others' typing after it. Beyond that it is closed and comes back for one merged state.
    max_send_buffer_bytes: int = setting(read.size(MIB), 48 * MIB, "bytes a slow connection may leave unread")
    # A person with many tabs uses tens (one dialect opens a socket a document), a gateway that holds one token for
    # all its users some hundreds. An idle connection is below 20 KiB, so a leaking client costs at most 10 MB.
    max_connections_per_user: int = setting(read.number(1), 500, "open WebSockets of one user on one node")
    # A person's editor sends 10 to 20 messages a second, dragging with presence 120. A program that replays or
    # imports is slowed to this, not cut off: at tens of µs a message, one such client takes a twentieth of a core.
    message_rate: int = setting(read.number(1), 1000, "messages a second of one connection")
    # An editor that comes back with a day's unsent edits may flush some thousands at once.
    message_burst: int = setting(read.number(1), 5000, "messages at once of one connection")
    # A handshake with its sign-in and first sync costs a core about a millisecond: half a core at most goes into
    # newcomers, and those who are in go on. Ten thousand who come back at once are all in after 20 s.
    accept_rate: int = setting(read.number(1), 500, "new WebSockets a second of one process")
    # Those of one page that reloads for everybody in an office; a second of a core.
    accept_burst: int = setting(read.number(1), 1000, "new WebSockets at once of one process")
    # Faster than anybody clicks and as fast as a program needs to be. Counted over all nodes, while Redis is there.
    request_rate: int = setting(read.number(1), 100, "requests a second of one user")
    # A page that opens asks for some tens of things at once, a program that walks a workspace for hundreds.
    request_burst: int = setting(read.number(1), 500, "requests at once of one user")
    # Whoever takes nothing for this long is gone, or would not see what it is sent before it has changed again.
    slow_reader_timeout: float = setting(read.duration, 60.0, "time a connection may take nothing that it is sent")

    # A working day and its evening: a stolen token is worthless the next day, and another is one command away.
    token_lifetime: float = setting(read.duration, 24 * 3600.0, "how long a token holds unless said otherwise")
    # A signed token cannot be taken back one by one, so what must hold for longer is an API key.
    max_token_lifetime: float = setting(read.duration, 90 * 86400.0, "longest life of a token")
    # Long enough to open a socket after asking for one, short enough to be worthless in a log file.
    ticket_lifetime: float = setting(read.duration, 30.0, "how long a single-use ticket holds")
    # Whoever pastes keys by hand is wrong a few times, and an office behind one address as often as some of them.
    failed_credentials: int = setting(
        read.number(1), 20, "wrong credentials of one address (IPv6: a /64) before it has to wait"
    )
    # More than all of somebody's forgotten programs send; from then on each address has but one try in that name.
    failed_credentials_of_name: int = setting(
        read.number(1), 100, "wrong credentials in one user's name, or of keys that begin alike, from wherever"
    )
    # Whoever was merely mistaken waits for no longer than it takes to look for the right one.
    lockout_seconds: float = setting(
        read.duration, 30.0, "how long an address has to wait then; each further time twice as long"
    )
    # A hundred guesses a day, and nobody who comes to a locked place waits for longer than a coffee takes.
    longest_lockout: float = setting(
        read.duration, 900.0, "longest wait, and the time within which wrong credentials are counted"
    )
    # A stock client sends its credential in its first frame; the slowest mobile network needs a few seconds.
    authentication_deadline: float = setting(read.duration, 10.0, "time a socket has to say who it is")

    # A commit with its fsync costs a millisecond or two of CPU: ten a second are cheap, and nobody notices 100 ms on
    # "stored". But people on other nodes see an edit after its commit, and notice more than 30 ms. An update after a
    # quiet moment, and one that an HTTP request waits for, is committed at once.
    commit_interval_ms: int | None = setting(
        read.number(0), None, "shortest time between two commits of live edits (default: 100; 10 where there is Redis)"
    )
    # Half a picture of a screen that shows 60 a second: nobody sees it, and a busy server needs a third less CPU.
    read_interval_ms: int = setting(
        read.number(0), 8, "shortest time between two looks for messages while many come; 0: look at once"
    )
    # Stock clients come back within 30 s of a lost connection; a room that waits twice that is read once, not twice.
    room_idle_seconds: float = setting(read.duration, 60.0, "how long an empty room stays in memory")
    # Presence is for eyes: 30 pictures a second look like motion, and each one left out is left out once a member.
    awareness_interval_ms: int = setting(read.number(0), 33, "how long presence is gathered before it is sent")
    # The protocol's own rule: clients renew every 15 s, and one unseen for 30 s is gone.
    awareness_timeout: float = setting(read.duration, 30.0, "silence after which a member's presence ends")
    # A reload or a change of network takes a few seconds and must not show as leave and join.
    awareness_removal_delay: float = setting(read.duration, 7.0, "how long a disconnected member stays shown")
    # Stock clients drop a socket after 30 s without a message; 20 s leaves room for a slow network.
    keepalive_interval: float = setting(read.duration, 20.0, "silence after which the server sends something")
    # Clients that are parted come back elsewhere: spread over this, other nodes meet a stream of them and not a wall.
    drain_seconds: float = setting(read.duration, 3.0, "time over which a server that stops parts many connections")
    # Rooms store within milliseconds and clients reconnect elsewhere; what needs longer hangs.
    shutdown_timeout: float = setting(read.duration, 10.0, "time after which a server that stops is gone, in any case")
    # Who deletes a node by mistake sees it at once, and undoes it; a minute is long for that.
    dangling_edge_grace: float = setting(
        read.duration, 60.0, "how long an edge of a diagram whose node was deleted can come back by undoing that"
    )
    # What a panel may have missed and still be told one by one: longer than holidays. What is older, the audit knows.
    feed_retention_age: float = setting(read.duration, 30 * 86400.0, "how long feeds hold an event")
    # Some hundred bytes each: a busy feed keeps some MB, and a panel that is further behind reads anew in any case.
    feed_retention_count: int = setting(read.number(1), 10_000, "how many events a feed holds")
    # Two bytes a sample: eight days of a thousand series, each ten seconds, are 140 MB, and hold each day of the week.
    metrics_raw_age: float = setting(read.duration, 8 * 86400.0, "how long samples of metrics are kept as they came")
    # A month by the minute takes twice as much again.
    metrics_minute_age: float = setting(read.duration, 31 * 86400.0, "how long they are kept by the minute")
    # Quarters of an hour take a tenth of that, and two seasons can be compared.
    metrics_quarter_age: float = setting(read.duration, 184 * 86400.0, "how long they are kept by quarters of an hour")
    # Next to nothing, and growth is forecast from two years.
    metrics_six_hour_age: float = setting(read.duration, 731 * 86400.0, "how long they are kept by quarters of a day")
    # A label that holds an id makes a series for each, and would make the database grow without end.
    metrics_series_per_source: int = setting(
        read.number(1, 1_000_000), 20_000, "series of a source that may have samples within a day"
    )
    # Ten beats: a process that stalls for less, as while it is moved to another machine, keeps its runs.
    runs_takeover_seconds: float = setting(
        read.duration, 10.0, "silence of a process after which others go on with its durable runs"
    )
    # The event loop is one core; compaction takes another, and is seldom enough that one serves many rooms.
    worker_processes: int = setting(read.number(1), 1, "processes for heavy work beside the event loop")

    log_level: str = setting(read.choice(LOG_LEVELS), "info", "debug, info, warning or error")
    log_json: bool = setting(read.flag, False, "write the log as one JSON object a line")
    # Off: edits come over sockets, and a proxy in front has a log of its own.
    access_log: bool = setting(read.flag, False, "write a line for each HTTP request, but for probes that went well")

    # Figures name nobody, yet tell strangers how much a server has to do.
    metrics_public: bool = setting(read.flag, False, "let anybody who reaches the server read /metrics")
    # Half a millisecond of a core each second, and what a chart of last week is drawn from.
    metrics_own: bool = setting(read.flag, True, "keep this server's own figures as measurements of the source 0")
    # None: whoever scrapes from elsewhere brings a credential to the port that people use.
    metrics_port: int | None = setting(
        read.number(1, 65535),
        None,
        "port of /metrics, /health and /ready alone, without a credential; each process takes one more (default: none)",
    )
    metrics_host: str = setting(read.text, "127.0.0.1", "address that metrics_port listens on")
    tracing: bool = setting(read.flag, False, "send traces to an OpenTelemetry collector; needs the extra 'tracing'")
    otlp_endpoint: str | None = setting(
        read.otlp_endpoint,
        None,
        "where the collector takes OTLP over HTTP; turns tracing on (default: http://localhost:4318)",
    )
    # What recurs shows in a tenth, and a busy node spends next to nothing on it. Callers who trace are followed always.
    tracing_sample_ratio: Decimal = setting(  # noqa: RUF009 - a Decimal is immutable
        read.share, Decimal("0.1"), "how many of the traces are kept, from 0 to 1"
    )

    # No setting: which of the processes this is, from 0. Their supervisor says so.
    worker_index: int = 0

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data / 'studio.sqlite3'}")

    @property
    def commit_interval(self) -> float:
        """Seconds."""
        if self.commit_interval_ms is not None:
            return self.commit_interval_ms / 1000
        return 0.1 if self.redis_url is None else 0.01

    @property
    def bound_to_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def traces(self) -> bool:
        """Whether traces are sent."""
        return self.tracing or self.otlp_endpoint is not None

    def shown(self, name: str) -> str:
        """The value of a field as it may be printed: secrets hidden, passwords taken out of URLs."""
        value = getattr(self, name)
        if FIELDS[name].metadata["secret"]:
            return "(hidden)" if value else "(not set)"
        if value is None or value == ():
            return "(not set)"
        if name.endswith("_url"):
            return read.hide_password(value)
        if isinstance(value, float):
            return read.show_duration(value)
        if name == "oidc_roles":
            return ", ".join(f"{group}={workspace}:{role}" for group, workspace, role in value)
        return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={self.shown(name)}' for name in FIELDS)})"


FIELDS: dict[str, dataclasses.Field[object]] = {
    field.name: field for field in dataclasses.fields(Settings) if "parse" in field.metadata
}


class SettingsError(Exception):
    """The settings do not hold; `problems` are complete sentences, one each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: `settings` with defaults in place of bad values, where each came from, and every problem."""

    settings: Settings
    sources: dict[str, str]
    problems: tuple[str, ...]

    def require(self) -> Settings:
        if self.problems:
            raise SettingsError(self.problems)
        return self.settings


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    return PREFIX + name.upper()


def read_settings(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Reading:
    """Settings from flags (by field name, None = not given) over `STUDIO_` variables over the defaults."""
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    problems = [*_misspelt(environ)]
    for name, field in FIELDS.items():
        source, text = _find(name, flags, environ)
        sources[name] = source
        if text is None:
            continue
        try:
            values[name] = field.metadata["parse"](text)
        except BadValueError as problem:
            problems.append(f"{source}: {problem}")
    settings = Settings(**values)  # type: ignore[arg-type]
    problems += _contradictions(settings, sources)
    return Reading(settings, sources, tuple(problems))


def _find(name: str, flags: Mapping[str, str | None], environ: Mapping[str, str]) -> tuple[str, str | None]:
    flag = flags.get(name)
    if flag is not None:
        return flag_of(name), flag
    # An empty variable is one that a compose file or shell left unset.
    variable = environ.get(variable_of(name))
    return (variable_of(name), variable) if variable else ("default", None)


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    """Variables that nearly are settings. Others with our prefix may belong to a client and are left alone."""
    known = [name.upper() for name in FIELDS]
    problems = []
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known:
            continue
        if near := difflib.get_close_matches(name, known, n=1, cutoff=0.75):
            problems.append(f"{variable}: there is no such setting; {PREFIX}{near[0]} is one")
    return problems


def _contradictions(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    """Values that are right alone and wrong together; each is told at the one that was set."""
    rules = (
        ("token_lifetime", "max_token_lifetime", settings.token_lifetime <= settings.max_token_lifetime, "at most"),
        ("message_burst", "message_rate", settings.message_burst >= settings.message_rate, "at least"),
        ("keepalive_interval", "awareness_timeout", settings.keepalive_interval < settings.awareness_timeout, "below"),
        (
            "max_send_buffer_bytes",
            "max_document_bytes",
            settings.max_send_buffer_bytes > settings.max_document_bytes,
            "above",
        ),
        ("lockout_seconds", "longest_lockout", settings.lockout_seconds <= settings.longest_lockout, "at most"),
        ("drain_seconds", "shutdown_timeout", settings.drain_seconds < settings.shutdown_timeout, "below"),
        *(
            (finer, coarser, getattr(settings, finer) <= getattr(settings, coarser), "at most")
            for finer, coarser in itertools.pairwise(METRIC_AGES)
        ),
    )
    problems = [*_workers_apart(settings, sources), *_metrics_ports_missing(settings, sources)]
    problems += _mail_without_sender(settings, sources)
    problems += _address_without_model(settings, sources)
    problems += read_openid.contradictions(settings, sources)
    for name, other, holds, relation in rules:
        if not holds:
            source = sources[name] if sources[name] != "default" else sources[other]
            values = f"{settings.shown(name)} and {settings.shown(other)}"
            problems.append(f"{source}: {name} must be {relation} {other}; they are {values}")
    return problems


def _workers_apart(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    """Several processes meet in Redis and PostgreSQL; without these each would keep documents of its own."""
    missing = []
    if not settings.database_url.startswith("postgres"):
        missing.append("database_url to postgresql://USER:PASSWORD@HOST/NAME")
    if settings.redis_url is None:
        missing.append("redis_url to redis://HOST:PORT/0")
    if settings.workers == 1 or not missing:
        return []
    shared = f"{sources['workers']}: {settings.workers} processes share documents over PostgreSQL and Redis"
    return [f"{shared}; set {' and '.join(missing)}, or use 1 process"]


def _mail_without_sender(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    if settings.smtp_url is None or settings.mail_from is not None:
        return []
    return [f"{sources['smtp_url']}: mail needs a sender; set mail_from to an address such as studio@example.org"]


def _address_without_model(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    if settings.language_model_url is None or settings.language_model_model is not None:
        return []
    return [f"{sources['language_model_url']}: which model is there? set language_model_model to its name"]


def _metrics_ports_missing(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    """Each process has a port for its metrics, and ports end somewhere."""
    first, count = settings.metrics_port, settings.workers
    if first is None or first + count - 1 <= 65535:
        return []
    needed = f"{count} processes need as many ports from {first} on, and 65535 is the last"
    return [f"{sources['metrics_port']}: {needed}; use {65536 - count} or less"]
