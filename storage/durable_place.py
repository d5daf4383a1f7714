"""Where the engine of durable runs keeps what it has to remember: beside our tables, never among them."""

from sqlalchemy import URL

from storage.database import Database
from storage.engines import prepare_sqlite_file

SQLITE_FILE = "durable.sqlite3"

# What libpq knows by itself. Anything else in a URL is a setting of the server, which libpq takes as `options`.
_LIBPQ = frozenset(
    [
        "host",
        "port",
        "user",
        "password",
        "passfile",
        "sslmode",
        "sslcert",
        "sslkey",
        "sslpassword",
        "sslrootcert",
        "sslcrl",
        "sslsni",
        "sslnegotiation",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "gssencmode",
        "krbsrvname",
        "channel_binding",
        "application_name",
        "connect_timeout",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "target_session_attrs",
        "load_balance_hosts",
        "options",
        "service",
    ]
)
# These are about how our own driver works.
_OURS = frozenset({"command_timeout", "prepared_statement_cache_size"})


def prepare(database: Database) -> str:
    """The URL for the engine: of a file in the database's folder, in WAL mode, or of the same server. Blocks."""
    if database.is_sqlite:
        path = database.path.with_name(SQLITE_FILE)
        prepare_sqlite_file(path, database.busy_timeout)
        return f"sqlite:///{path}"
    return libpq_url(database.url).render_as_string(hide_password=False)


def libpq_url(url: URL) -> URL:
    """A PostgreSQL URL of ours as libpq reads it."""
    query = {name: value for name, value in url.query.items() if name not in _OURS}
    if (timeout := query.pop("timeout", None)) is not None:
        query["connect_timeout"] = str(max(1, round(float(str(timeout)))))
    settings = [f"-c {name}={query.pop(name)}" for name in sorted(query.keys() - _LIBPQ)]
    if settings:
        query["options"] = " ".join([*([str(query["options"])] if "options" in query else []), *settings])
    return url.set(drivername="postgresql", query=query)
