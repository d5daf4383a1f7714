"""Who is at the other end: proxies are believed about others only where the operator named them."""

import pytest

from server.handshake import Upgrade
from server.visitors import LONGEST_USER_AGENT, Forwarding, Visitor

PROXY = "10.0.0.1"


def visitor(peer: str | None, forwarded: str | None = None, agent: str | None = None) -> Visitor:
    headers = {"x-forwarded-for": forwarded, "user-agent": agent}
    upgrade = Upgrade("/ws", {}, {name: value for name, value in headers.items() if value is not None}, peer)
    return Forwarding(["10.0.0.0/8", "2001:db8::1/128"]).visitor_of(upgrade)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        (PROXY, None, PROXY),
        (PROXY, "198.51.100.1", "198.51.100.1"),
        (PROXY, "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        (PROXY, "1.1.1.1, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        (PROXY, "198.51.100.1:4711", "198.51.100.1"),
        (PROXY, "[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::1", "2001:db8::7", "2001:db8::7"),
        (PROXY, "", PROXY),
        (None, "198.51.100.1", None),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has(peer: str | None, forwarded: str | None, address: str) -> None:
    assert visitor(peer, forwarded).address == address


def test_a_user_agent_is_short_and_printable() -> None:
    assert visitor(PROXY, agent="Mosaic\x1b[2J").user_agent == "Mosaic\ufffd[2J"
    assert len(visitor(PROXY, agent="x" * 9999).user_agent or "") == LONGEST_USER_AGENT
    assert visitor(PROXY).user_agent is None
