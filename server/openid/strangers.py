"""How often somebody who has not signed in may try to: each try can cost the provider a request."""

from __future__ import annotations

import ipaddress

from server.request_limit import RequestLimit

# A sign-in is three requests. An office behind one address comes in on a Monday morning, and nobody guesses 256 bits.
RATE = 5.0
BURST = 100
# Whoever has one address of IPv6 has all of its network.
_NETWORK_BITS = 64


def sign_in_limit() -> RequestLimit:
    """Counts the requests of each place on this node."""
    return RequestLimit(RATE, BURST)


def place_of(address: str | None) -> str:
    """What requests are counted by: an address, or the network of one of IPv6."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
