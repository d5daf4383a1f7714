"""PostgreSQL URLs as people paste them: several hosts, libpq's options, and the numbers the driver wants as numbers."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import URL

from storage.errors import InvalidUrl

DEFAULT_PORT = 5432

_HOST_AND_PORT = re.compile(r"[^\s:/]+:\d{1,5}")

# libpq's names beside those of the driver.
_ALIASES = {"ssl": "sslmode", "connect_timeout": "timeout"}
_NUMBERS: dict[str, Callable[[str], int | float]] = {
    "timeout": float,
    "command_timeout": float,
    "prepared_statement_cache_size": int,
}
# What SQLAlchemy reads itself; the driver reads the rest, as libpq would, and takes unknown names for settings of the
# server, which refuses those that it does not know.
_ADDRESS = ("host", "port")


def spread_hosts(text: str) -> str:
    """`postgresql://a:1,b/name` as SQLAlchemy writes it: `postgresql:///name?host=a:1&host=b:5432`."""
    scheme, _, rest = text.partition("://")
    address, _, query = rest.partition("?")
    user, at, place = address.rpartition("@")
    hosts, slash, path = place.partition("/")
    if not scheme.startswith("postgres") or "," not in hosts:
        return text
    named = [host if re.search(r":\w+$", host) else f"{host}:{DEFAULT_PORT}" for host in hosts.split(",")]
    options = [urlencode([("host", host) for host in named]), query]
    return f"{scheme}://{user}{at}{slash}{path}?{'&'.join(filter(None, options))}"


def checked(url: URL) -> URL:
    """The URL with its options under the driver's names. Raises InvalidUrl."""
    for alias, name in _ALIASES.items():
        if alias in url.query:
            value = url.query[alias]
            url = url.difference_update_query([alias]).update_query_dict({name: value})
    for name in _NUMBERS.keys() & url.query.keys():
        _number(url, name)
    hosts = url.query.get("host", ())
    if isinstance(hosts, tuple) and not all(map(_HOST_AND_PORT.fullmatch, hosts)):
        raise InvalidUrl("of several PostgreSQL hosts each is a name or an IPv4 address, and perhaps a port: a:5432,b")
    return url


def split_options(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL with nothing but the address, and the driver's arguments for the rest."""
    arguments: dict[str, Any] = {name: _number(url, name) for name in _NUMBERS if name in url.query}
    left = {name: value for name, value in url.query.items() if name not in (*_NUMBERS, *_ADDRESS)}
    if left:
        arguments["dsn"] = f"postgresql:///?{urlencode(left, doseq=True)}"
    return url.difference_update_query([name for name in url.query if name not in _ADDRESS]), arguments


def _number(url: URL, name: str) -> int | float:
    value = url.query[name]
    try:
        number = _NUMBERS[name](str(value))
    except ValueError:
        number = -1
    is_size = _NUMBERS[name] is int
    if number < 0 or (number == 0 and not is_size):
        right = "0 (keep none) or a number of statements" if is_size else "a number of seconds above 0"
        raise InvalidUrl(f"{name}={value} in the database URL does not fit; use {right}")
    return number
