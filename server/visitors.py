"""Where a connection comes from, and what it says it is: for lists of sessions, and against guessing."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import HTTPConnection

from server.caller import address_of
from server.handshake import Upgrade

# Longer ones say nothing more.
LONGEST_USER_AGENT = 300


class Visitor(NamedTuple):
    """An address, and a user agent in printable letters; None where there is no such."""

    address: str | None = None
    user_agent: str | None = None


NOBODY = Visitor()


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Who sends an HTTP request; behind a trusted proxy whom that names."""
    return Visitor(address_of(connection), _plain(connection.headers.get("user-agent")))


class Forwarding:
    """Whom a socket comes from. Only proxies that the operator named are believed about others."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """`trusted` are addresses and networks of proxies."""
        self._trusted = [ipaddress.ip_network(network) for network in trusted]

    def visitor_of(self, upgrade: Upgrade) -> Visitor:
        """Who opens a socket: the last address of the chain that no trusted proxy has."""
        return Visitor(self._address_of(upgrade), _plain(upgrade.headers.get("user-agent")))

    def _address_of(self, upgrade: Upgrade) -> str | None:
        address = upgrade.peer
        for claimed in reversed(upgrade.headers.get("x-forwarded-for", "").split(",")):
            if not self._is_trusted(address) or not claimed.strip():
                break
            address = _host_of(claimed.strip())
        return address

    def _is_trusted(self, address: str | None) -> bool:
        try:
            parsed = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _host_of(claimed: str) -> str:
    """The address of `192.0.2.7`, `192.0.2.7:443`, `2001:db8::7` or `[2001:db8::7]:443`."""
    if claimed.startswith("["):
        return claimed[1:].partition("]")[0]
    return claimed.partition(":")[0] if claimed.count(":") == 1 else claimed


def _plain(text: str | None) -> str | None:
    if not text:
        return None
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:LONGEST_USER_AGENT])
