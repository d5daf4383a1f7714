"""How each kind of setting is read from text. A parser returns the value or raises `BadValueError`.

A problem is one sentence: what was wrong, and what would be right. Texts of secrets never appear in one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import math
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from analysis.advisories import signing
from storage import engines
from storage.errors import InvalidUrl
from storage.postgres_url import spread_hosts

T = TypeVar("T")

# HS256 is as strong as its key: 256 bits, which as text is at least this many characters.
SHORTEST_SECRET = 32
# PostgreSQL's and SQLite's integers end here; nothing we count comes near.
LARGEST_NUMBER = 2**63 - 1
DATABASE_URLS = "sqlite:///path/to/file or postgresql://user:password@host/name"
SIZE_UNITS = {"": 1, "b": 1, "kib": 2**10, "kb": 10**3, "mib": 2**20, "mb": 10**6, "gib": 2**30, "gb": 10**9}
TIME_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_DURATION = 10 * 365 * 86400.0
_QUANTITY = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<unit>[a-z]*)", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?", re.ASCII)


class BadValueError(ValueError):
    """The text is not such a value; the message says what was wrong and what would be right."""


def setting(parse: Callable[[str], T], default: T, help: str, *, secret: bool = False) -> T:  # noqa: A002 - as argparse
    """A field of the settings: how its text is read, its default and its line in `--help`."""
    metadata = {"parse": parse, "help": help, "secret": secret}
    return dataclasses.field(default=default, metadata=metadata)


def text(value: str) -> str:
    if not (stripped := value.strip()):
        raise BadValueError("it is empty; give a value")
    return stripped


def folder(value: str) -> Path:
    if "?" in value:
        raise BadValueError("the name has a question mark, which no database URL can hold; use another folder")
    return Path(text(value)).expanduser()


def folders(value: str) -> tuple[Path, ...]:
    """Comma-separated absolute paths of folders that exist."""
    found = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        path = Path(item).expanduser()
        if not path.is_absolute() or not path.is_dir():
            raise BadValueError(f"{item!r} is not the absolute path of a folder; use for example /srv/data")
        found.append(path.resolve())
    return tuple(dict.fromkeys(found))


def flag(value: str) -> bool:
    lowered = value.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise BadValueError(f"{value!r} is neither yes nor no; use true or false")


def choice(options: tuple[str, ...]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        lowered = value.strip().lower()
        if lowered not in options:
            raise BadValueError(f"{value!r} is not known; use one of {', '.join(options)}")
        return lowered

    return parse


def number(at_least: int, at_most: int = LARGEST_NUMBER) -> Callable[[str], int]:
    # Neither a port nor a limit has more digits; int() of a very long text is slow.
    digits = re.compile(r"\d{1,19}", re.ASCII)
    span = f"from {at_least} to {at_most}" if at_most < LARGEST_NUMBER else f"of at least {at_least}"

    def parse(value: str) -> int:
        stripped = value.strip().replace("_", "")
        if not digits.fullmatch(stripped) or not at_least <= int(stripped) <= at_most:
            raise BadValueError(f"{value!r} does not fit; use a whole number {span}")
        return int(stripped)

    return parse


def size(at_least: int) -> Callable[[str], int]:
    """Bytes: `4194304`, `4MiB`, `4 MB`."""

    def parse(value: str) -> int:
        match = _QUANTITY.fullmatch(value.strip().lower())
        if match is None or match["unit"] not in SIZE_UNITS:
            raise BadValueError(f"{value!r} is not a size; use bytes or a unit, such as 4194304 or 4MiB")
        exact = float(match["number"]) * SIZE_UNITS[match["unit"]]
        if not at_least <= exact <= LARGEST_NUMBER:
            raise BadValueError(f"{value!r} is too {'small' if exact < at_least else 'large'}; use at least {at_least}")
        return int(exact)

    return parse


def duration(value: str) -> float:
    """Seconds: `90`, `90s`, `500ms`, `15m`, `1h`, `30d`."""
    match = _QUANTITY.fullmatch(value.strip().lower())
    if match is None or match["unit"] not in TIME_UNITS:
        raise BadValueError(f"{value!r} is not a length of time; use seconds or a unit, such as 90, 15m, 1h or 30d")
    seconds = float(match["number"]) * TIME_UNITS[match["unit"]]
    if not 0 < seconds <= LONGEST_DURATION or math.isnan(seconds):
        raise BadValueError(f"{value!r} does not fit; use more than 0 and at most 10 years (3650d)")
    return seconds


def show_duration(seconds: float) -> str:
    """As `duration` reads it, in the largest unit that leaves no fraction: 86400.0 is `1d`, 5400.0 is `90m`."""
    for unit in ("d", "h", "m", "s", "ms"):
        count = seconds / TIME_UNITS[unit]
        if count >= 1 and count.is_integer():
            return f"{int(count)}{unit}"
    return f"{seconds:g}s"


def share(value: str) -> Decimal:
    """A part of a whole: `1`, `0.05`."""
    if not re.fullmatch(r"0?\.\d{1,9}|[01](\.0{1,9})?", stripped := value.strip(), re.ASCII):
        raise BadValueError(f"{value!r} is not a share; use a number from 0 to 1, such as 0.05")
    return Decimal(stripped)


def secret(value: str) -> str:
    if len(value) < SHORTEST_SECRET:
        raise BadValueError(
            f"it has {len(value)} characters; use at least {SHORTEST_SECRET} random ones (openssl rand -hex 32)"
        )
    if "-----BEGIN" in value:
        raise BadValueError("it is a PEM file; use random text that only the server knows (openssl rand -hex 32)")
    return value


def database_url(value: str) -> str:
    stripped = value.strip()
    parts = _split(spread_hosts(stripped), DATABASE_URLS)
    if parts.scheme.startswith("sqlite") and (parts.netloc or len(parts.path) < 2):
        raise BadValueError(
            "the file is missing or follows two slashes; use three for a relative path (sqlite:///data/studio.sqlite3) "
            "or four for an absolute one (sqlite:////var/lib/studio.sqlite3)"
        )
    if parts.scheme.startswith("postgres") and len(parts.path) < 2:
        raise BadValueError("the database's name is missing; use postgresql://user:password@host/name")
    try:
        engines.parse_url(stripped)
    except InvalidUrl as error:
        raise BadValueError(str(error)) from None
    return stripped


def redis_url(value: str) -> str:
    parts = _split(value, "redis://host:6379/0")
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise BadValueError(f"{parts.scheme!r} is not Redis; use redis://host:6379/0, rediss://… or unix:///path")
    if parts.scheme != "unix" and not parts.hostname:
        raise BadValueError("the host is missing; use redis://host:6379/0")
    return value.strip()


def public_url(value: str) -> str:
    parts = _split(value, "https://studio.example.org")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadValueError(f"{value!r} is not a web address; use for example https://studio.example.org")
    if parts.query or parts.fragment or parts.username:
        raise BadValueError("it has more than host and path; use for example https://studio.example.org")
    return value.strip().rstrip("/")


def web_address(value: str) -> str:
    parts = _split(value, "https://models.example.org/v1")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadValueError(f"{value!r} is not a web address; use for example https://models.example.org/v1")
    if parts.query or parts.fragment or parts.username:
        raise BadValueError("it has more than host and path; use for example https://models.example.org/v1")
    return value.strip().rstrip("/")


def otlp_endpoint(value: str) -> str:
    parts = _split(value, "http://localhost:4318")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadValueError(f"{value!r} is not where a collector takes OTLP over HTTP; use http://localhost:4318")
    if parts.query or parts.fragment or parts.username:
        raise BadValueError("it has more than host and path; use http://localhost:4318")
    return value.strip().rstrip("/")


def origins(value: str) -> tuple[str, ...]:
    """Comma-separated origins, each as a browser would send it."""
    found = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        if item == "*":
            raise BadValueError("'*' would let every web site use its visitors' sign-ins; list the origins")
        origin = normal_origin(item.rstrip("/"))
        if origin is None:
            raise BadValueError(f"{item!r} is not an origin; use scheme, host and port only: https://app.example.org")
        found.append(origin)
    return tuple(dict.fromkeys(found))


def networks(value: str) -> tuple[str, ...]:
    found = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        try:
            found.append(str(ipaddress.ip_network(item, strict=False)))
        except ValueError:
            raise BadValueError(f"{item!r} is not an address or network; use 10.0.0.7 or 10.0.0.0/8") from None
    return tuple(dict.fromkeys(found))


def hosts(value: str) -> tuple[str, ...]:
    """Comma-separated host names, addresses and networks."""
    found = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        with contextlib.suppress(ValueError):
            found.append(str(ipaddress.ip_network(item, strict=False)))
            continue
        if not _HOST_NAME.fullmatch(item.lower()):
            raise BadValueError(f"{item!r} is not a host; use hooks.internal, 10.0.0.7 or 10.0.0.0/8")
        found.append(item.lower())
    return tuple(found)


def advisory_keys(value: str) -> tuple[str, ...]:
    """Comma-separated public keys in base64."""
    found = tuple(filter(None, (part.strip() for part in value.split(","))))
    try:
        for item in found:
            signing.read_key(item)
    except ValueError:
        raise BadValueError(
            "a key is no 32 bytes in base64; use what `python -m analysis.advisories keygen` prints"
        ) from None
    return found


def smtp_url(value: str) -> str:
    parts = _split(value, "smtp://user:password@mail.example.org:587")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise BadValueError("it is not a mail server; use smtp://user:password@host:587, or smtps://host")
    if parts.path not in ("", "/") or parts.fragment or parts.query not in ("", "starttls=no"):
        raise BadValueError("it has more than user, password, host and port; only ?starttls=no may follow")
    return value.strip()


def mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;:\"]+@[A-Za-z0-9.-]+", stripped := value.strip(), re.ASCII):
        raise BadValueError(f"{value!r} is not a mail address; use studio@example.org")
    return stripped


def normal_origin(origin: str) -> str | None:
    """`scheme://host[:port]` in lower case without a default port, or None where it is not a web origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    named = _HOST_NAME.fullmatch(host) is not None or _is_address(host)
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc or parts.netloc.endswith(":")
    if parts.scheme not in ("http", "https") or not named or rest or not origin.isprintable():
        return None
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == (443 if parts.scheme == "https" else 80):
        return f"{parts.scheme}://{shown}"
    return f"{parts.scheme}://{shown}:{port}"


def hide_password(url: str) -> str:
    """The URL with its password replaced, fit to be printed; also where it stands in the query."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return "(unreadable)"
    if password is not None:
        address = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{parts.username}:***@{address}")
    query = re.sub(r"((?:^|&)[^=&]*(?:pass|secret|key)[^=&]*=)[^&]*", r"\1***", parts.query, flags=re.IGNORECASE)
    # geturl() drops the empty host of sqlite:///path.
    tail = (f"?{query}" if query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    return f"{parts.scheme}://{parts.netloc}{parts.path}{tail}"


def _split(value: str, right: str) -> SplitResult:
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
    except ValueError as error:
        raise BadValueError(f"it is not a URL ({error}); use {right}") from None
    return parts


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
